import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FollowedTable } from '#log/followed-table.ts';
import { InMemoryLog } from '#log/in-memory.ts';
import type { CommandBy } from '#mesh/campaigns/campaign.ts';
import { CampaignTable } from '#mesh/campaigns/table.ts';
import { sampleDefinition, samplePlan } from '#mesh/campaigns/testing/samples.ts';
import { systemClock } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import { allTopics } from '#mesh/topics.ts';
import { CampaignDesk } from './campaigns.ts';
import { RepairSettings } from './repair-settings.ts';
import { testTopics } from './testing/test-topics.ts';

const rules = { approvalAboveFiles: 100, approvalAboveBytes: 1e12, planMaxAgeMs: 1e9 };

interface Collector {
  readonly followed: FollowedTable<CampaignTable>;
  readonly desk: CampaignDesk;
  readonly settings: RepairSettings;
}

let log: InMemoryLog;
const collectors: Collector[] = [];

/** As another collector of the same mesh. */
async function collector(): Promise<Collector> {
  const followed = new FollowedTable({
    log,
    topic: testTopics.campaigns.name,
    create: () => new CampaignTable(),
    clock: systemClock,
    logger: silentLogger,
  });
  await followed.start();
  const one = { followed, desk: new CampaignDesk({ followed, rules }), settings: new RepairSettings(followed) };
  collectors.push(one);
  return one;
}

function by(operatorName: string): CommandBy {
  return { operatorId: '', operatorName, why: `${operatorName} says so`, atMs: 5 };
}

beforeEach(() => {
  log = new InMemoryLog(allTopics(testTopics));
});
afterEach(async () => {
  await Promise.all(collectors.splice(0).map(({ followed }) => followed.stop()));
});

describe('operators of several collectors', () => {
  test('that race: one is first, each other is told by whom, and has changed nothing', async () => {
    const all = await Promise.all([collector(), collector(), collector()]);
    const [first] = all;
    const planned = await first?.desk.create('lift', sampleDefinition(), samplePlan(), by('ada'));
    if (planned === undefined) throw new Error('unexpected');
    await Promise.all(all.map(({ followed }) => followed.catchUp()));
    const words = ['start', 'cancel', 'cancel'] as const;
    const said = await Promise.allSettled(
      all.map(({ desk }, i) =>
        desk.command(
          planned.id,
          planned.revision,
          words[i] === 'start' ? { what: 'start', planHash: planned.planHash } : { what: 'cancel' },
          by(`operator ${i}`),
        ),
      ),
    );
    expect(said.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const winner = said.findIndex(({ status }) => status === 'fulfilled');
    for (const one of said) {
      if (one.status === 'fulfilled') continue;
      expect(one.reason).toMatchObject({
        code: 'campaign-changed',
        message: expect.stringContaining(`operator ${winner} said "${words[winner]}"`),
      });
    }
    await Promise.all(all.map(({ followed }) => followed.catchUp()));
    for (const { followed } of all) {
      const stands = followed.table.campaign(planned.id);
      expect(stands?.revision).toBe(2);
      expect(stands?.steps.map(({ operatorName }) => operatorName)).toEqual(['ada', `operator ${winner}`]);
    }
  });

  test('that act on what they have not seen are refused, whatever it is', async () => {
    const one = await collector();
    const planned = await one.desk.create('lift', sampleDefinition(), samplePlan(), by('ada'));
    const start = { what: 'start', planHash: planned.planHash } as const;
    await one.desk.command(planned.id, planned.revision, start, by('ada'));
    await expect(one.desk.command(planned.id, planned.revision, { what: 'cancel' }, by('bob'))).rejects.toMatchObject({
      code: 'campaign-changed',
    });
    expect(one.followed.table.campaign(planned.id)?.state).toBe('running');
  });

  test('cannot give two open campaigns one name, and name an unknown one in vain', async () => {
    const one = await collector();
    await one.desk.create('lift', sampleDefinition(), samplePlan(), by('ada'));
    await expect(one.desk.create('lift', sampleDefinition(), samplePlan(), by('bob'))).rejects.toMatchObject({
      code: 'bad-input',
    });
    await expect(one.desk.command('nothing', null, { what: 'cancel' }, by('bob'))).rejects.toMatchObject({
      code: 'campaign-unknown',
    });
  });

  test('set calendars and limits one after the other, and what each said is kept', async () => {
    const [one, other] = [await collector(), await collector()];
    await one.settings.limits((now) => ({ ...now, rates: { bytes: 5 } }), 'limits', by('ada'));
    await other.settings.limits((now) => ({ ...now, rates: { ...now.rates, requests: 7 } }), 'limits', by('bob'));
    const definition = { does: 'proofs', cron: '0 2 * * 6', timeZone: 'UTC', files: 3 } as const;
    await one.settings.schedule('weekly', definition, by('ada'));
    await other.settings.removeSchedule('weekly', by('bob'));
    await expect(one.settings.removeSchedule('weekly', by('ada'))).rejects.toMatchObject({ code: 'campaign-unknown' });
    await one.settings.schedule('weekly', { ...definition, files: 4 }, by('cyd'));
    await other.followed.catchUp();
    const { table } = other.followed;
    expect(table.limits.settings.rates).toEqual({ bytes: 5, requests: 7 });
    expect(table.limits.steps.map(({ operatorName }) => operatorName)).toEqual(['ada', 'bob']);
    expect(table.schedules()[0]?.steps.map(({ what, operatorName }) => [what, operatorName])).toEqual([
      ['add', 'ada'],
      ['remove', 'bob'],
      ['add', 'cyd'],
    ]);
  });
});
