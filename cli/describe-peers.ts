/** Peers as a table, with what stands out about all of them below it. */
import type { FreshnessAnswer, PeerAnswer } from '#analyzer/api/schemas.ts';
import { peerStates } from '#mesh/peer-state.ts';
import { describeFreshness } from './describe-file.ts';
import { formatDomains } from './failure-domain.ts';
import { formatBytes, formatDuration, table } from './output.ts';

export function describePeers(peers: readonly PeerAnswer[], freshness: FreshnessAnswer): string {
  const health = `Health is ${describeFreshness(freshness)}.`;
  if (peers.length === 0) return `No peers. ${health}`;
  const rows = peers.map((peer) => [
    peer.name,
    [
      peer.state,
      ...(peer.revoked ? ['revoked'] : []),
      ...(isOutdated(peer) ? ['outdated'] : []),
      ...(typeof peer.unreachableMs !== 'number' ? [] : ['heard but not reached']),
      ...((peer.claimsFailed ?? 0) >= 1 ? [`${Math.round(peer.claimsFailed ?? 0)} claims failed`] : []),
    ].join(', '),
    formatDomains(peer.domains),
    peer.shares,
    formatBytes(peer.shareBytes),
    peer.freeBytes === null ? '?' : formatBytes(peer.freeBytes),
    peer.silenceMs === null ? '-' : formatDuration(peer.silenceMs),
    formatDuration(peer.graceMs),
    peer.flapScore.toFixed(1),
  ]);
  const header = ['peer', 'state', 'domains', 'shares', 'bytes', 'free', 'silent', 'grace', 'flaps'];
  const lines = [describeStates(peers), ...describeOutdated(peers), describeVersions(peers), health];
  return [table(header, rows), '', ...lines].join('\n');
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
