import { describe, expect, it } from 'vitest';
import type { PeerState } from '#mesh/peer-state.ts';
import { peerOf } from '#mesh/testing/share-events.ts';
import { askAgainMs, asksOfReport, InventoryAsks } from './inventory-asks.ts';

describe('peers that owe an inventory', () => {
  const known = new Map<string, { state: PeerState; inventoryRequest: number }>();
  const find = (peer: string) => known.get(peer);
  const set = (peer: number, state: PeerState, inventoryRequest = 0): void =>
    void known.set(peerOf(peer), { state, inventoryRequest });
  const ask = (peer: number, request: number) => ({ peer: peerOf(peer), request });

  it('are named until they were asked, and again only where nothing came of it for long', () => {
    const asks = new InventoryAsks();
    const owing = [peerOf(1), peerOf(2)];
    set(1, 'up', 7);
    set(2, 'draining');
    expect(asks.open(owing, find, 0)).toEqual([ask(1, 8), ask(2, 1)]);
    set(1, 'up', 8);
    expect(asks.open(owing, find, 1000)).toEqual([ask(2, 1)]);
    set(2, 'draining', 3);
    expect(asks.open(owing, find, askAgainMs - 1)).toEqual([]);
    expect(asks.open(owing, find, askAgainMs)).toEqual([ask(1, 9), ask(2, 4)]);
  });

  it('are asked anew for what they owe anew', () => {
    const asks = new InventoryAsks();
    set(1, 'up', 7);
    asks.open([peerOf(1)], find, 0);
    set(1, 'up', 8);
    expect(asks.open([], find, 10)).toEqual([]);
    expect(asks.open([peerOf(1)], find, 20)).toEqual([ask(1, 9)]);
  });

  it.each<PeerState>(['suspect', 'down', 'maintenance', 'departed'])('are not asked while they are %s', (state) => {
    const asks = new InventoryAsks();
    set(1, state);
    expect(asks.open([peerOf(1), peerOf(99)], find, 0)).toEqual([]);
    set(1, 'up');
    expect(asks.open([peerOf(1)], find, 10)).toEqual([ask(1, 1)]);
    set(1, state, 1);
    expect(asks.open([peerOf(1)], find, 20)).toEqual([]);
    set(1, 'up', 1);
    expect(asks.open([peerOf(1)], find, 30)).toEqual([]);
  });

  it('are so many in a report; the rest follows as these were asked', () => {
    const asks = new InventoryAsks();
    const numbers = Array.from({ length: asksOfReport + 2 }, (_, number) => number);
    for (const number of numbers) set(number, 'up');
    const owing = numbers.map(peerOf);
    expect(asks.open(owing, find, 0)).toHaveLength(asksOfReport);
    for (const number of numbers.slice(0, asksOfReport)) set(number, 'up', 1);
    expect(asks.open(owing, find, 1000)).toEqual([ask(asksOfReport, 1), ask(asksOfReport + 1, 1)]);
  });
});
