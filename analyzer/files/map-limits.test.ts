import { describe, expect, it } from 'vitest';
import { peerOf } from '#mesh/testing/share-events.ts';
import { departedIn, freeDeparted } from './departures.ts';
import { limitsOf } from './map-limits.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';

describe('what a partition may hold', () => {
  const partition = (fileCount: number, registeredCount: number) =>
    ({ map: { fileCount, registeredCount } }) as unknown as OwnedPartition;

  it('is what the others leave of one limit, and what peers made up takes nothing from files that are registered', () => {
    const owned = new Map([
      [0, partition(10, 10)],
      [1, partition(90, 20)],
    ]);
    const limits = { maxFiles: 100, maxUnregisteredPerPeer: 50 };
    expect(limitsOf(limits, owned, 0)).toEqual({ files: 10, registeredFiles: 80, unregisteredPerPeer: 25 });
    expect(limitsOf(limits, owned, 1)).toEqual({ files: 90, registeredFiles: 90, unregisteredPerPeer: 25 });
    expect(limitsOf(limits, owned, 2)).toEqual({ files: 0, registeredFiles: 70, unregisteredPerPeer: 25 });
  });
});

it('peers that have left free what they held of unregistered files, in each partition', () => {
  const freed: string[] = [];
  const partition = (number: number) =>
    ({
      map: { freeUnregistered: (peer: string) => void freed.push(`${number} ${peer}`) },
    }) as unknown as OwnedPartition;
  const change = (peer: number, to: 'down' | 'departed') =>
    ({ peer: peerOf(peer), from: 'up', to, silenceMs: 1, shares: 0 }) as const;
  freeDeparted([partition(0), partition(1)], departedIn([change(1, 'down'), change(2, 'departed')]));
  expect(freed).toEqual([`0 ${peerOf(2)}`, `1 ${peerOf(2)}`]);
});
