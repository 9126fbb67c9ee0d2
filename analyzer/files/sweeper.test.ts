/** When files are looked at, and which: with partitions that only note what is done to them. */
import { createNoopMeter } from '@opentelemetry/api';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#mesh/config/load.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { peerOf } from '#mesh/testing/share-events.ts';
import { analyzerMetrics } from '../metrics.ts';
import { FileTraces } from './partition/file-traces.ts';
import type { OwnedPartition } from './partition/owned-partition.ts';
import { PeerTable } from './share-map/peer-table.ts';
import { emptyTotals } from './share-map/totals.ts';
import { Sweeper } from './sweeper.ts';

const sweepIntervalMs = 5000;
const { config } = loadConfig({ flags: { 'analyzer.sweepIntervalMs': sweepIntervalMs } });

describe('the sweeper', () => {
  let clock: ManualClock;
  let table: PeerTable;
  let owned: Map<number, OwnedPartition>;
  let done: string[];
  let duringSweep: () => Promise<void>;
  let changedLater: number;
  let touched: number;
  let sweeper: Sweeper;

  const partition = (number: number, caughtUp = true) => {
    const map = {
      reap: () => false,
      async sweepBeside() {
        await duringSweep();
        done.push(`sweep ${number}`);
        const exposure = { peers: new Map(), domains: new Map() };
        return { totals: emptyTotals(), exposure, changedCount: 0, changedLater, changed: () => [] };
      },
      lookAtSome(_atMs: number, most: number) {
        const looked = Math.min(most, touched);
        touched -= looked;
        done.push(`look at ${looked} of ${number}`);
        return { changed: Array.from({ length: looked }), left: touched };
      },
    };
    const traces = new FileTraces();
    const list = { countedGrades: () => new Map() };
    const part = {
      number,
      map,
      caughtUp,
      traces,
      list,
      time: { watermarkMs: 7 },
      unsavedHealth: new Set(),
      isJudged: false,
    };
    return part as unknown as OwnedPartition;
  };
  const own = (number: number, caughtUp = true): OwnedPartition => {
    const part = partition(number, caughtUp);
    owned.set(number, part);
    return part;
  };
  const step = async (): Promise<readonly string[]> => {
    done = [];
    await sweeper.step();
    return done;
  };

  beforeEach(() => {
    clock = new ManualClock();
    table = new PeerTable();
    owned = new Map();
    done = [];
    duringSweep = () => Promise.resolve();
    changedLater = 0;
    touched = 0;
    sweeper = new Sweeper({
      analyzer: { clock, config, metrics: analyzerMetrics(createNoopMeter()) },
      table,
      owned,
      publisher: {
        publish: () => Promise.resolve(),
        relist: (part) => Promise.resolve(void done.push(`relist ${part.number}`)),
        removeDeleted: () => false,
      },
      watch: {
        swept: (number) => void done.push(`swept ${number}`),
        afterSweep: () => void done.push('after sweep'),
      },
    });
  });

  it('sweeps every partition when it is time, and in between looks at what was touched', async () => {
    own(0);
    own(1);
    const sweep = ['sweep 0', 'swept 0', 'relist 0', 'sweep 1', 'swept 1', 'relist 1', 'after sweep'];
    expect(await step()).toEqual(sweep);
    touched = 600;
    expect(await step()).toEqual(['look at 512 of 0', 'look at 88 of 0', 'relist 0', 'look at 0 of 1', 'relist 1']);
    expect(await step()).toEqual([]);
    await clock.advance(200);
    expect(await step()).toHaveLength(4);
    await clock.advance(sweepIntervalMs - 200);
    expect(await step()).toEqual(sweep);
  });

  it('sweeps at once when peers changed, but rests for four times as long as the last sweep took', async () => {
    own(0);
    duringSweep = () => clock.advance(300);
    await step();
    table.setState(peerOf(1), 'up');
    await clock.advance(4 * 300 - 1);
    expect(await step()).not.toContain('sweep 0');
    await clock.advance(1);
    expect(await step()).toContain('sweep 0');
    await clock.advance(4 * 300);
    expect(await step()).not.toContain('sweep 0');
  });

  it('leaves alone what is not caught up, and judges it with the next sweep', async () => {
    const behind = own(0, false);
    expect(await step()).toEqual(['after sweep']);
    expect([behind.totals, behind.isJudged]).toEqual([undefined, false]);
    const there = own(0);
    sweeper.sweepSoon();
    expect(await step()).toContain('sweep 0');
    expect(there.isJudged).toBe(true);
  });

  it('says nothing of a partition that went while it was swept', async () => {
    own(0);
    duringSweep = () => Promise.resolve(void owned.delete(0));
    expect(await step()).toEqual(['sweep 0', 'after sweep']);
  });

  it('goes on at once where more files changed than one sweep says, and the partition is judged only then', async () => {
    const part = own(0);
    changedLater = 5;
    await step();
    expect(part.isJudged).toBe(false);
    changedLater = 0;
    expect(await step()).toContain('sweep 0');
    expect(part.isJudged).toBe(true);
  });
});
