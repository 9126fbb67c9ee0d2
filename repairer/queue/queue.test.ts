import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { type OfferedFile, RepairQueue } from './queue.ts';
import { classOf, compareUrgency, type RepairClass, repairClasses } from './risk.ts';

const settings = { maxFiles: 1000, maxHeldBytes: 1024 };

function indexOf(serial: number): StorageIndex {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(12, serial);
  return storageIndexFromBytes(bytes);
}

function file(serial: number, repairClass: RepairClass, risk = 1, extra: Partial<OfferedFile> = {}): OfferedFile {
  return {
    storageIndex: indexOf(serial),
    repairClass,
    risk,
    sinceMs: 0,
    partition: 0,
    offset: serial,
    generation: 1,
    value: new Uint8Array(4),
    headers: {},
    ...extra,
  };
}

function drain(queue: RepairQueue, which: 'any' | 'critical' = 'any', nowMs = 0): StorageIndex[] {
  const taken: StorageIndex[] = [];
  for (let next = queue.take(which, nowMs); next !== undefined; next = queue.take(which, nowMs))
    taken.push(next.storageIndex);
  return taken;
}

describe('classes of repairs', () => {
  it('a lost file that its retained shares could save is critical, one beyond them is not', () => {
    expect(classOf({ grade: 'lost', retained: 25, k: 25 })).toBe('critical');
    expect(classOf({ grade: 'lost', retained: 24, k: 25 })).toBe('lost');
  });
});

describe('the repair queue', () => {
  it('within a class takes the larger risk first, and the older file among equals', () => {
    const queue = new RepairQueue(settings);
    queue.offer(file(1, 'at-risk', 1, { sinceMs: 5 }));
    queue.offer(file(2, 'at-risk', 2));
    queue.offer(file(3, 'at-risk', 1, { sinceMs: 4 }));
    expect(drain(queue)).toEqual([indexOf(2), indexOf(3), indexOf(1)]);
  });

  it('lets a newly critical file overtake everything that waits', () => {
    const queue = new RepairQueue(settings);
    for (let i = 0; i < 100; i++) queue.offer(file(i, 'at-risk', 100 + i));
    queue.offer(file(500, 'critical', 0.001));
    expect(queue.take('any', 0)?.storageIndex).toBe(indexOf(500));
  });

  it('a file found well enough wakes when it has lost more since, and not when it has gained', () => {
    const queue = new RepairQueue(settings);
    queue.offer(file(1, 'at-risk', 2));
    const taken = queue.take('any', 0);
    if (taken === undefined) throw new Error('nothing was taken');
    taken.repairedAtMs = 0;
    queue.rest(taken, 1000);
    queue.offer(file(1, 'at-risk', 1));
    expect(drain(queue, 'any', 500)).toEqual([]);
    queue.offer(file(1, 'at-risk', 3));
    expect(drain(queue, 'any', 500)).toEqual([indexOf(1)]);
  });

  it('an update that makes a resting file critical wakes it; one that does not leaves it resting', () => {
    const queue = new RepairQueue(settings);
    queue.offer(file(1, 'at-risk'));
    const taken = queue.take('any', 0);
    if (taken === undefined) throw new Error('nothing was taken');
    queue.rest(taken, 1000);
    queue.offer(file(1, 'at-risk', 99, { offset: 8 }));
    expect(queue.take('any', 999)).toBeUndefined();
    queue.offer(file(1, 'critical', 1, { offset: 9 }));
    expect(queue.take('critical', 500)?.offset).toBe(9);
  });

  it('a resting file waits again when its rest is over', () => {
    const queue = new RepairQueue(settings);
    queue.offer(file(1, 'degraded'));
    const taken = queue.take('any', 0);
    if (taken === undefined) throw new Error('nothing was taken');
    queue.rest(taken, 1000);
    expect(queue.nextWakeMs()).toBe(1000);
    expect(queue.take('any', 1000)?.storageIndex).toBe(indexOf(1));
  });

  it('a taken file is not taken twice, whatever its updates say', () => {
    const queue = new RepairQueue(settings);
    queue.offer(file(1, 'at-risk'));
    queue.take('any', 0);
    queue.offer(file(1, 'critical', 100, { offset: 7 }));
    expect(drain(queue)).toEqual([]);
    expect(queue.find(indexOf(1))?.offset).toBe(7);
  });

  it('a tombstone removes a file in every state', () => {
    const queue = new RepairQueue(settings);
    for (const serial of [1, 2, 3]) queue.offer(file(serial, 'at-risk', serial));
    const taken = queue.take('any', 0);
    const resting = queue.take('any', 0);
    if (resting !== undefined) queue.rest(resting, 10);
    for (const serial of [1, 2, 3]) expect(queue.remove(indexOf(serial))).toBeDefined();
    expect(taken).toBeDefined();
    expect(queue.size).toBe(0);
    expect(queue.heldBytes).toBe(0);
    expect(drain(queue, 'any', 100)).toEqual([]);
  });

  it.each(['at-risk', 'degraded', 'lost'] as const)(
    'never starves the class %s, however many critical files come',
    (repairClass) => {
      const queue = new RepairQueue(settings);
      queue.offer(file(9999, repairClass));
      for (let turn = 0; turn < 60; turn++) {
        queue.offer(file(turn, 'critical', 1000));
        if (queue.take('any', 0)?.storageIndex === indexOf(9999)) return;
      }
      expect.unreachable('it was never taken');
    },
  );

  it('keeps critical files the larger part of the turns', () => {
    const queue = new RepairQueue({ ...settings, maxFiles: 10_000 });
    for (const [at, repairClass] of repairClasses.entries())
      for (let i = 0; i < 500; i++) queue.offer(file(at * 1000 + i, repairClass));
    const classes = Array.from({ length: 200 }, () => queue.take('any', 0)?.repairClass);
    expect(classes.filter((taken) => taken === 'critical').length).toBeGreaterThan(120);
    for (const repairClass of repairClasses) expect(classes).toContain(repairClass);
  });

  it('the critical lane takes nothing but critical files', () => {
    const queue = new RepairQueue(settings);
    queue.offer(file(1, 'at-risk', 1000));
    queue.offer(file(2, 'critical'));
    expect(drain(queue, 'critical')).toEqual([indexOf(2)]);
  });

  it('remembers of which partition the least urgent was left out', () => {
    const queue = new RepairQueue({ maxFiles: 2, maxHeldBytes: 100 });
    queue.offer(file(1, 'at-risk', 1, { partition: 3 }));
    queue.offer(file(2, 'critical', 1, { partition: 4 }));
    expect(queue.offer(file(3, 'degraded', 1, { partition: 5 }))).toBe('left-out');
    expect(queue.offer(file(4, 'critical', 2, { partition: 6 }))).toBe('added');
    expect([...queue.leftOutPartitions].sort((a, b) => a - b)).toEqual([3, 5]);
    expect(drain(queue)).toEqual([indexOf(4), indexOf(2)]);
  });

  it('keeps records only as far as memory allows, and knows where the others stand', () => {
    const queue = new RepairQueue({ maxFiles: 10, maxHeldBytes: 6 });
    queue.offer(file(1, 'critical', 2));
    queue.offer(file(2, 'critical', 1));
    expect(queue.take('any', 0)?.value).toHaveLength(4);
    expect(queue.take('any', 0)).toMatchObject({ value: null, offset: 2 });
  });

  it('holds the most urgent files of any history of offers, and takes them in order', () => {
    const offer = fc.record({
      serial: fc.nat(30),
      at: fc.nat(3),
      risk: fc.double({ min: 0, max: 10, noNaN: true }),
      remove: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(offer, { maxLength: 120 }), fc.integer({ min: 1, max: 40 }), (steps, maxFiles) => {
        const queue = new RepairQueue({ maxFiles, maxHeldBytes: 50 });
        const model = new Map<StorageIndex, OfferedFile>();
        const everLeftOut = new Set<StorageIndex>();
        for (const [turn, step] of steps.entries()) {
          const storageIndex = indexOf(step.serial);
          if (step.remove) {
            queue.remove(storageIndex);
            model.delete(storageIndex);
            continue;
          }
          const offered = file(step.serial, repairClasses[step.at] as RepairClass, step.risk, { offset: turn });
          queue.offer(offered);
          model.set(storageIndex, offered);
          for (const known of model.keys()) if (queue.find(known) === undefined) everLeftOut.add(known);
        }
        expect(queue.size).toBeLessThanOrEqual(maxFiles);
        expect(queue.heldBytes).toBeLessThanOrEqual(50);
        const critical = [...model.values()].filter(
          (known) => known.repairClass === 'critical' && queue.find(known.storageIndex) !== undefined,
        );
        expect(drain(queue, 'critical')).toEqual(critical.sort(compareUrgency).map((known) => known.storageIndex));
        if (everLeftOut.size === 0) expect(queue.size).toBe(model.size);
        for (const known of model.values()) {
          const queued = queue.find(known.storageIndex);
          if (queued !== undefined) expect(queued.offset).toBe(known.offset);
        }
      }),
    );
  });
});
