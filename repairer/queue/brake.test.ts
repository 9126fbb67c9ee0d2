import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PeerId } from '#mesh/peer-id.ts';
import { type PeerState, peerStates } from '#mesh/peer-state.ts';
import { type BrakeFact, judgeBrake, type SilenceMemory } from './brake.ts';

const settings = { silentRatio: 0.5, windowMs: 600_000 };
const none: SilenceMemory = new Map();

function facts(states: readonly PeerState[], stateSinceMs?: number): BrakeFact[] {
  return states.map((state, at) => ({
    peerId: `peer-${at}` as PeerId,
    state,
    ...(stateSinceMs === undefined ? {} : { stateSinceMs }),
  }));
}

describe('the brake', () => {
  it('holds when more than its part of the peers went silent, not at just that part', () => {
    expect(judgeBrake(none, facts(['down', 'suspect', 'up', 'up']), 0, settings).state.held).toBe(false);
    const { state } = judgeBrake(none, facts(['down', 'suspect', 'down', 'up']), 0, settings);
    expect(state).toMatchObject({ held: true, silentPeers: 3, peers: 4 });
    expect(state.reason).toContain('3 of 4 peers');
  });

  it('lets go when the window has passed, however many are silent still', () => {
    const first = judgeBrake(none, facts(['down', 'down', 'down']), 1_000, settings);
    expect(judgeBrake(first.memory, facts(['down', 'down', 'down']), 600_999, settings).state.held).toBe(true);
    expect(judgeBrake(first.memory, facts(['down', 'down', 'down']), 601_000, settings).state.held).toBe(false);
  });

  it('remembers the beginning of a silence when suspect peers become down', () => {
    const first = judgeBrake(none, facts(['suspect', 'suspect', 'suspect'], 0), 0, settings);
    expect(judgeBrake(first.memory, facts(['down', 'down', 'down'], 599_000), 600_000, settings).state.held).toBe(
      false,
    );
  });

  it('does not hold for silences that are known to be old', () => {
    expect(judgeBrake(none, facts(['down', 'down', 'down'], 0), 700_000, settings).state.held).toBe(false);
  });

  it('takes no notice of departed peers and those in maintenance', () => {
    const { state } = judgeBrake(none, facts(['departed', 'departed', 'maintenance', 'up']), 0, settings);
    expect(state).toEqual({ held: false, reason: '', silentPeers: 0, peers: 1 });
  });

  it('never holds while enough peers are heard, and remembers silent peers only', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...peerStates), { maxLength: 40 }), (states) => {
        const { state, memory } = judgeBrake(none, facts(states), 5, settings);
        const silent = states.filter((each) => each === 'suspect' || each === 'down').length;
        const counting = states.filter((each) => each !== 'departed' && each !== 'maintenance').length;
        expect(state.held).toBe(silent > counting / 2);
        expect(state.held).toBe(state.reason !== '');
        expect(memory.size).toBe(silent);
      }),
    );
  });
});
