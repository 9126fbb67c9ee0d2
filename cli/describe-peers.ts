/** Peers as a table, with what stands out about all of them below it. */
import type { FreshnessAnswer, PeerAnswer } from '#analyzer/api/schemas.ts';
import { peerStates } from '#mesh/peer-state.ts';
import { describeFreshness } from './describe-file.ts';
import { formatDomains } from './failure-domain.ts';
import { moodOf } from './terminal/colour.ts';
import { bytesColumn, durationColumn, listingView, type View } from './terminal/view.ts';

export function peersView(peers: readonly PeerAnswer[], freshness: FreshnessAnswer): View {
  const health = `Health is ${describeFreshness(freshness)}.`;
  return listingView<PeerAnswer>({
    rows: peers,
    value: { peers, freshness },
    none: `No peers. ${health}`,
    below: [describeStates(peers), ...describeOutdated(peers), describeVersions(peers), health],
    columns: [
      { title: 'peer', value: ({ name }) => name, fit: 'text' },
      { title: 'state', value: describeStanding, fit: 'text', mood: (peer) => moodOf(describeStanding(peer)) },
      { title: 'domains', value: ({ domains }) => formatDomains(domains), fit: 'text' },
      { title: 'shares', value: ({ shares }) => shares },
      bytesColumn('bytes', 'share_bytes', ({ shareBytes }) => shareBytes, 3),
      bytesColumn('free', 'free_bytes', ({ freeBytes }) => freeBytes, 2),
      durationColumn('silent', 'silence_ms', ({ silenceMs }) => silenceMs, 1),
      durationColumn('grace', 'grace_ms', ({ graceMs }) => graceMs, 5),
      { title: 'flaps', value: ({ flapScore }) => flapScore, text: ({ flapScore }) => flapScore.toFixed(1), rank: 4 },
      { title: 'version', value: ({ agentVersion }) => agentVersion, rank: 7 },
      { title: 'id', name: 'peer_id', value: ({ peerId }) => peerId, fit: 'id', rank: 6 },
    ],
  });
}

function describeStanding(peer: PeerAnswer): string {
  return [
    peer.state,
    ...(peer.revoked ? ['revoked'] : []),
    ...(isOutdated(peer) ? ['outdated'] : []),
    ...(typeof peer.unreachableMs !== 'number' ? [] : ['heard but not reached']),
    ...(typeof peer.doubtedMs !== 'number' ? [] : ['not believed: it does not hold what it says']),
    ...((peer.claimsFailed ?? 0) >= 1 ? [`${Math.round(peer.claimsFailed ?? 0)} claims failed`] : []),
  ].join(', ');
}

function describeStates(peers: readonly PeerAnswer[]): string {
  const counts = peerStates.flatMap((state) => {
    const count = peers.filter((peer) => peer.state === state).length;
    return count === 0 ? [] : [`${count} ${state}`];
  });
  return `${peers.length} peers: ${counts.join(', ')}.`;
}

/** Peers whose posts are refused; none where all is well. */
export function describeOutdated(peers: readonly PeerAnswer[]): string[] {
  const outdated = outdatedPeers(peers);
  if (outdated.length === 0) return [];
  const names = outdated.slice(0, 5).map(({ name }) => name);
  const more = outdated.length > names.length ? ` and ${outdated.length - names.length} more` : '';
  return [
    `Refused as outdated: ${names.join(', ')}${more}. An agent lost its count of starts, or two agents have one key.`,
  ];
}

export function outdatedPeers(peers: readonly PeerAnswer[]): readonly PeerAnswer[] {
  return peers.filter(isOutdated);
}

function isOutdated({ revoked, outdatedAtMs, outdatedEvents }: PeerAnswer): boolean {
  return !revoked && ((outdatedAtMs ?? null) !== null || (outdatedEvents ?? 0) > 0);
}

/** More than one version at a time is a roll-out under way, or one that was forgotten. */
export function describeVersions(peers: readonly PeerAnswer[]): string {
  const counts = new Map<string, number>();
  for (const { agentVersion } of peers) counts.set(agentVersion, (counts.get(agentVersion) ?? 0) + 1);
  const spread = [...counts].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  return `Agent versions: ${spread.map(([version, count]) => `${version === '' ? 'unknown' : version} on ${count}`).join(', ')}.`;
}
