import { describe, expect, it } from 'vitest';
import { fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import type { FileRow } from '../share-map/kept-rows.ts';
import type { PlacementView } from '../share-map/share-map.ts';
import { Tombstones } from './tombstones.ts';

const hourMs = 3_600_000;

function row(file: number, deleted: boolean): FileRow {
  return { ...registrationOf(file), deleted, registeredAtMs: 0 };
}

const share: PlacementView = { shareNumber: 0, peer: peerOf(1), corrupt: false, available: true, counted: true };

describe('tombstones of deleted files', () => {
  it('are written again every few hours, so that the store does not forget them while a peer holds a share', () => {
    const tombstones = new Tombstones();
    const held = { placements: () => [share] };
    tombstones.see([row(1, true), row(2, false)]);
    expect(tombstones.takeDue(held, 0)).toEqual([row(1, true)]);
    expect(tombstones.takeDue(held, hourMs)).toEqual([]);
    expect(tombstones.takeDue(held, 9 * hourMs)).toEqual([row(1, true)]);
  });

  it('are left to be forgotten once nobody holds a share, or the owner registered the file again', () => {
    const tombstones = new Tombstones();
    tombstones.see([row(1, true), row(2, true), row(3, true)]);
    tombstones.see([row(2, false)]);
    const map = { placements: (file: string) => (file === fileOf(1) ? [share] : []) };
    expect(tombstones.takeDue(map, 0)).toEqual([row(1, true)]);
    expect(tombstones.size).toBe(1);
  });
});
