import { describe, expect, it } from 'vitest';
import type { Domains, PeerState } from '#mesh/peer-state.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { healthOf } from '../share-map/health.ts';
import { PeerTable } from '../share-map/peer-table.ts';
import { causeOf } from './cause.ts';

interface Held {
  readonly state?: PeerState;
  readonly domains?: Domains;
  readonly corrupt?: boolean;
}

/** The cause for a 2-of-6 file whose share i is on peer i as described. */
function causeWith(held: readonly Held[]): string {
  const table = new PeerTable();
  const inputs = held.map(({ state = 'up', domains = {}, corrupt = false }, number) => {
    table.setState(peerOf(number), state);
    table.setDomains(peerOf(number), domains);
    return { shareNumber: number, corrupt, peer: table.row(number) };
  });
  const health = healthOf(registrationOf(1), defaultPolicy({ k: 2, n: 6 }), inputs, () => false);
  const placements = inputs.map(({ shareNumber, corrupt, peer }) => ({
    shareNumber,
    peer: peer.peer,
    corrupt,
    available: !corrupt && peer.available,
    counted: !corrupt && peer.counted,
  }));
  return causeOf(health, placements, ({ peer }) => table.row(table.numberOf(peer)));
}

const up: Held = {};

describe('the cause', () => {
  it('is none while all shares are available', () => {
    expect(causeWith([up, up, up, up, up, up])).toBe('all shares are available');
  });

  it('names the domain that holds most of the silent peers', () => {
    const away: Held = { state: 'down', domains: { zone: 'a' } };
    expect(causeWith([up, up, away, away, away, { state: 'suspect', domains: { zone: 'b' } }])).toBe(
      '4 shares on peers that are not up (3 in zone a)',
    );
  });

  it('names no domain where the silent peers have little in common', () => {
    const away = (zone: string): Held => ({ state: 'down', domains: { zone } });
    expect(causeWith([up, up, up, away('a'), away('b'), away('c')])).toBe('3 shares on peers that are not up');
    expect(causeWith([up, up, up, up, up, away('a')])).toBe('1 share on peers that are not up');
  });

  it('tells corrupt shares from those that no peer has any more', () => {
    expect(causeWith([up, up, { corrupt: true }])).toBe('1 share corrupt, 3 shares on no peer');
    expect(causeWith([up, up, up, up, up, { state: 'departed' }])).toBe('1 share on no peer');
    expect(causeWith([up, { state: 'down' }, { corrupt: true }, up, up])).toBe(
      '1 share on peers that are not up, 1 share corrupt, 1 share on no peer',
    );
  });
});
