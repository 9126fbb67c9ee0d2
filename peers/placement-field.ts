/** The peers that shares may be placed on, with their failure domains as small numbers: built once, asked many times. */
import type { PeerId } from '#mesh/peer-id.ts';
import type { Domains } from '#mesh/peer-state.ts';

export interface PlacementPeer {
  readonly peerId: PeerId;
  readonly domains: Domains;
  readonly freeBytes: number;
}

export interface PlacementField {
  readonly peers: readonly PlacementPeer[];
  /** For each peer, the numbers of its domains. */
  readonly domainsOfPeer: readonly (readonly number[])[];
  /** For each domain number, how many of the peers it holds. */
  readonly domainSizes: readonly number[];
  readonly indexOf: ReadonlyMap<PeerId, number>;
  /** The numbers of those domains that the field knows. */
  numbersOf(domains: Domains): readonly number[];
}

export function buildPlacementField(peers: readonly PlacementPeer[]): PlacementField {
  const numbers = new Map<string, number>();
  const domainSizes: number[] = [];
  const domainsOfPeer = peers.map((peer) =>
    Object.entries(peer.domains).map(([kind, value]) => {
      const name = `${kind}=${value}`;
      const number = numbers.get(name) ?? numbers.size;
      numbers.set(name, number);
      domainSizes[number] = (domainSizes[number] ?? 0) + 1;
      return number;
    }),
  );
  return {
    peers,
    domainsOfPeer,
    domainSizes,
    indexOf: new Map(peers.map((peer, index) => [peer.peerId, index])),
    numbersOf: (domains) =>
      Object.entries(domains).flatMap(([kind, value]) => {
        const number = numbers.get(`${kind}=${value}`);
        return number === undefined ? [] : [number];
      }),
  };
}
