/** Peers as people name them: by name or by id, resolved through the collector's directory. */
import { MeshwardError } from '#mesh/errors.ts';
import { nearestWord } from '#mesh/nearest-word.ts';
import { isPeerId, type PeerId, parsePeerId } from '#mesh/peer-id.ts';

export interface NamedPeer {
  readonly peerId: string;
  readonly name: string;
}

/** @throws MeshwardError `file-unknown` where nobody has the name, `bad-input` where it belongs to several peers. */
export function resolvePeer<T extends NamedPeer>(
  reference: string,
  directory: readonly T[],
): T & { readonly peerId: PeerId } {
  const byId = isPeerId(reference) ? directory.find((peer) => peer.peerId === reference) : undefined;
  const fitting = byId === undefined ? directory.filter((peer) => peer.name === reference) : [byId];
  const [peer] = fitting;
  if (peer !== undefined && fitting.length === 1) return { ...peer, peerId: parsePeerId(peer.peerId) };
  const shown = reference.slice(0, 60);
  if (fitting.length > 1) {
    throw new MeshwardError('bad-input', `${fitting.length} peers are called ${shown}`, {
      next: `Name it by its id: ${fitting
        .map((each) => each.peerId)
        .slice(0, 5)
        .join(', ')}.`,
    });
  }
  throw new MeshwardError('file-unknown', `no enrolled peer is called ${shown}${nearest(reference, directory)}`, {
    next: '`meshward peers` lists the names; a peer may also be named by its id.',
  });
}

export function resolvePeers<T extends NamedPeer>(
  references: readonly string[],
  directory: readonly T[],
): (T & { readonly peerId: PeerId })[] {
  const chosen = new Map(
    references.map((reference) => resolvePeer(reference, directory)).map((peer) => [peer.peerId, peer]),
  );
  return [...chosen.values()];
}

function nearest(reference: string, directory: readonly NamedPeer[]): string {
  const wanted = reference.toLowerCase();
  const match = directory.find(
    ({ name }) => name.toLowerCase() === wanted || (wanted.length >= 3 && name.toLowerCase().startsWith(wanted)),
  );
  const name =
    match?.name ??
    nearestWord(
      reference,
      directory.map((peer) => peer.name),
    );
  return name === undefined ? '' : ` (there is ${name})`;
}
