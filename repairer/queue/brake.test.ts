import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PeerId } from '#mesh/peer-id.ts';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import { type BrakeFact, judgeBrake } from './brake.ts';

const settings = { silentRatio: 0.5, windowMs: 600_000 };

function facts(states: readonly PeerState[], silenceMs?: number): BrakeFact[] {
  return states.map((state, at) => ({
    peerId: `peer-${at}` as PeerId,
    state,
    ...(silenceMs === undefined ? {} : { silenceMs }),
  }));
}

describe('the brake', () => {
  it('holds when more than its part of the peers went silent, not at just that part', () => {
    expect(judgeBrake(facts(['down', 'suspect', 'up', 'up']), settings).held).toBe(false);
    const state = judgeBrake(facts(['down', 'suspect', 'down', 'up']), settings);
    expect(state).toMatchObject({ held: true, silentPeers: 3, peers: 4 });
    expect(state.reason).toContain('3 of 4 peers');
  });

  it('lets go when the window has passed, however many are silent still and whenever it is asked first', () => {
    expect(judgeBrake(facts(['down', 'down', 'down'], 599_999), settings).held).toBe(true);
    expect(judgeBrake(facts(['down', 'down', 'down'], 600_000), settings).held).toBe(false);
  });

  it('takes no notice of departed peers and those in maintenance', () => {
    const state = judgeBrake(facts(['departed', 'departed', 'maintenance', 'up']), settings);
    expect(state).toEqual({ held: false, reason: '', silentPeers: 0, peers: 1 });
  });

  it('never holds while enough peers are heard', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...peerStates), { maxLength: 40 }), (states) => {
        const state = judgeBrake(facts(states), settings);
        const silent = states.filter((each) => each === 'suspect' || each === 'down').length;
        const counting = states.filter((each) => each !== 'departed' && each !== 'maintenance').length;
        expect(state.held).toBe(silent > counting / 2);
        expect(state.held).toBe(state.reason !== '');
      }),
    );
  });
});
