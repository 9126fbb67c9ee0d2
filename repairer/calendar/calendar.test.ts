import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FollowedTable } from '#log/followed-table.ts';
import { InMemoryLog } from '#log/in-memory.ts';
import { commitSchedule } from '#log/revision-commit.ts';
import type { ScheduleDefinition } from '#mesh/campaigns/schedule.ts';
import { CampaignTable } from '#mesh/campaigns/table.ts';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { Calendar, graceMs } from './calendar.ts';

const topic = 'campaigns';
const hourMs = 3_600_000;
const startMs = 1_700_000_000_000 - (1_700_000_000_000 % hourMs);
const hourly: ScheduleDefinition = { does: 'proofs', cron: '0 * * * *', timeZone: 'UTC', files: 1 };

let log: InMemoryLog;
let clock: ManualClock;
const opened: { followed: FollowedTable<CampaignTable>; calendar: Calendar }[] = [];

interface Run {
  readonly name: string;
  readonly end: (outcome: string) => void;
  readonly signal: AbortSignal;
}

async function repairer(isOurTurn = () => true) {
  const followed = new FollowedTable({ log, topic, create: () => new CampaignTable(), clock, logger: silentLogger });
  await followed.start();
  const runs: Run[] = [];
  const run = (name: string, signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      runs.push({ name, end: resolve, signal });
    });
  const calendar = new Calendar({
    followed,
    isOurTurn,
    timetable: () => ({ set: () => undefined, clear: () => undefined }),
    clock,
    logger: silentLogger,
    runners: {
      campaign: ({ name }, _definition, signal) => run(name, signal),
      proofs: ({ name }, _definition, signal) => run(name, signal),
      canary: ({ name }, _definition, signal) => run(name, signal),
    },
  });
  opened.push({ followed, calendar });
  calendar.start();
  return { followed, runs };
}

async function schedule(followed: FollowedTable<CampaignTable>, lastRunMs: number): Promise<void> {
  const revision = (followed.table.scheduleEntry('hourly')?.value.revision ?? 0) + 1;
  await commitSchedule(followed, {
    name: 'hourly',
    revision,
    removed: false,
    definition: hourly,
    steps: [],
    lastRunMs,
  });
}

const stepsOf = ({ table }: FollowedTable<CampaignTable>) =>
  table.schedules()[0]?.steps.map(({ what, why }) => [what, why.split(':')[0]]);

beforeEach(() => {
  log = new InMemoryLog([{ name: topic, partitions: 1, compacted: true }]);
  clock = new ManualClock(startMs);
});
afterEach(async () => {
  for (const { calendar, followed } of opened.splice(0)) {
    await calendar.stop();
    await followed.stop();
  }
});

describe('a calendar', () => {
  test('runs what is due once, though two repairers believe that it is their turn', async () => {
    const [one, other] = [await repairer(), await repairer()];
    await schedule(one.followed, startMs);
    await clock.advance(hourMs + 20_000);
    expect([...one.runs, ...other.runs].map(({ name }) => name)).toEqual(['hourly']);
    for (const { end } of [...one.runs, ...other.runs]) end('done');
    await clock.advance(10_000);
    expect(stepsOf(one.followed)).toEqual([
      ['run', 'due at 2023-11-14T23'],
      ['ran', 'done'],
    ]);
  });

  test('begins nothing that is still under way, and says so', async () => {
    const { followed, runs } = await repairer();
    await schedule(followed, startMs);
    await clock.advance(2 * hourMs + 20_000);
    expect(runs).toHaveLength(1);
    expect(stepsOf(followed)?.at(-1)).toEqual(['skipped', 'the last run is still under way']);
    runs[0]?.end('done');
    await clock.advance(hourMs);
    expect(runs).toHaveLength(2);
  });

  test('tells what was missed while nobody ran, and does not make up for it', async () => {
    const { followed, runs } = await repairer();
    await schedule(followed, startMs - 3 * hourMs);
    await clock.advance(graceMs + 20_000);
    // What was due just now is still run; the two before it are told.
    expect(runs).toHaveLength(1);
    expect(followed.table.schedules()[0]?.steps[0]?.why).toContain('2 runs were missed');
    runs[0]?.end('done');
    await clock.advance(5000);
    await schedule(followed, startMs - 3 * hourMs);
    await clock.advance(10_000);
    expect(stepsOf(followed)?.at(-1)?.[0]).toBe('missed');
    expect(runs).toHaveLength(1);
  });

  test('stops what runs when its entry is removed, and when another repairer takes over', async () => {
    let isOurs = true;
    const { followed, runs } = await repairer(() => isOurs);
    await schedule(followed, startMs);
    await clock.advance(hourMs + 20_000);
    isOurs = false;
    await clock.advance(10_000);
    expect(runs[0]?.signal.aborted).toBe(true);
  });
});
