/** What who reads from peers found there: peers that do not hold what they say, and peers that are heard and not reached. */
import type { Alert } from './alert.ts';
import type { ReadPeer } from './silent-domains.ts';

/** A single bad share is rot, and mended as such; several of those that were drawn are a peer that is not what it says. */
const tellingFailures = 3;
const tellingRatio = 0.1;

export function readerAlerts(peers: readonly ReadPeer[]): readonly Alert[] {
  const there = peers.filter(({ state }) => state !== 'departed');
  const failing = there.filter(({ claims: { held, failed } }) => {
    return failed >= tellingFailures && failed / (held + failed) >= tellingRatio;
  });
  const unreached = there.filter(({ unreachableMs }) => unreachableMs !== null);
  return [
    ...failing.map(({ name, claims: { held, failed } }): Alert => {
      const drawn = Math.round(held + failed);
      return {
        key: `claims-fail:${name}`,
        severity: 'page',
        summary: `${name} does not hold what it says: ${Math.round(failed)} of ${drawn} shares drawn at random were not there or not sound`,
        next: 'Those shares do not count until the peer has verified them; where most fail, none of its shares does until they are there again. Look at its disk; `meshward peer drain` empties it, `meshward peer depart` gives it up.',
        files: 0,
        bytes: 0,
        details: { peer: name, drawn, failed: Math.round(failed) },
      };
    }),
    ...(unreached.length === 0 ? [] : [unreachedAlert(unreached)]),
  ];
}

function unreachedAlert(peers: readonly ReadPeer[]): Alert {
  const names = peers.slice(0, 5).map(({ name }) => name);
  const more = peers.length - names.length;
  return {
    key: 'peers-unreachable',
    severity: 'warning',
    summary: `${peers.length === 1 ? '1 peer is' : `${peers.length} peers are`} heard, but their shares cannot be reached: ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
    next: 'They count as silent. Check that the address and port that each serves on can be reached from the repairers: `meshward peers` shows since when.',
    files: 0,
    bytes: 0,
    details: { peers: peers.length },
  };
}
