/** Which releases the mesh's agents are of. More than one is a roll-out under way, or one that was forgotten. */
import type { PeerFacts } from '#peers/liveness/peer-register.ts';

type Versioned = Pick<PeerFacts, 'state' | 'revoked'> & { readonly life: Pick<PeerFacts['life'], 'agentVersion'> };

/** Peers choose what they announce: versions beyond these are told together. */
const mostVersions = 10;
const longestVersion = 40;
export const otherVersions = 'other';

/** How many peers that have not left are of each release, the most common first. */
export function versionsOf(peers: Iterable<Versioned>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { life, state, revoked } of peers) {
    if (revoked || state === 'departed' || life.agentVersion === '') continue;
    const version = life.agentVersion.slice(0, longestVersion);
    counts.set(version, (counts.get(version) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const rest = sorted.slice(mostVersions).reduce((sum, [, count]) => sum + count, 0);
  return new Map([...sorted.slice(0, mostVersions), ...(rest > 0 ? [[otherVersions, rest] as const] : [])]);
}

/** Tells of a spread once, and again when other releases are in it; not of each peer that goes from one to the other. */
export class VersionWatch {
  #reported = '';

  /** What there is to tell, or null. */
  look(peers: Iterable<Versioned>): ReadonlyMap<string, number> | null {
    const versions = versionsOf(peers);
    const names = [...versions.keys()].sort().join('\n');
    if (names === this.#reported) return null;
    this.#reported = names;
    return versions.size > 1 ? versions : null;
  }
}
