import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { afterCommand, type Campaign, newCampaign } from './campaign.ts';
import type { CampaignProgress } from './progress.ts';
import { campaignRecord, keyOf, progressRecord } from './records.ts';
import { CampaignTable, type TableRecord } from './table.ts';
import { sampleDefinition, samplePlan } from './testing/samples.ts';

const by = { operatorId: '', operatorName: '', why: 'test', atMs: 1 };
const rules = { approvalAboveFiles: 100, approvalAboveBytes: 1e12, planMaxAgeMs: 1e9 };
const planned = newCampaign('c1', 'lift', sampleDefinition(), samplePlan(), by);

function say(campaign: Campaign, what: 'start' | 'pause' | 'resume' | 'cancel'): Campaign {
  const { planHash } = campaign;
  return afterCommand(campaign, what === 'start' ? { what, planHash } : { what }, by, rules);
}

function progress(change: Partial<CampaignProgress>): CampaignProgress {
  return {
    campaignId: 'c1',
    partition: 0,
    generation: 1,
    repairer: 'r',
    seenRevision: 2,
    run: 2,
    pass: 1,
    cursor: '',
    finished: false,
    inFlight: 0,
    waitsFor: '',
    atMs: 1,
    outcomes: [{ outcome: 'restored', errorCode: '', files: 1 }],
    sharesWritten: 1,
    bytesRead: 2,
    bytesWritten: 3,
    failure: '',
    ...change,
  };
}

function tableOf(records: readonly Omit<TableRecord, 'offset'>[]): CampaignTable {
  const table = new CampaignTable();
  for (const [offset, record] of records.entries()) table.apply({ ...record, offset });
  return table;
}

/** What a compacted topic may have become: of each key at least the newest record, in the order of the log. */
function compacted(records: readonly Omit<TableRecord, 'offset'>[], keeps: readonly boolean[]): TableRecord[] {
  const newest = new Map(records.map((record, offset) => [Buffer.from(record.key ?? []).toString(), offset]));
  return records.flatMap((record, offset) =>
    newest.get(Buffer.from(record.key ?? []).toString()) === offset || keeps[offset] === true
      ? [{ ...record, offset }]
      : [],
  );
}

describe('the table of campaigns', () => {
  test('lets the first of two records of one revision count', () => {
    const started = say(planned, 'start');
    const cancelled = say(planned, 'cancel');
    const table = tableOf([
      campaignRecord(planned, 'n1'),
      campaignRecord(started, 'n2'),
      campaignRecord(cancelled, 'n3'),
    ]);
    expect(table.campaign('c1')?.state).toBe('running');
    expect(table.hasCounted('campaign', 'c1', 2, 'n2')).toBe(true);
    expect(table.hasCounted('campaign', 'c1', 2, 'n3')).toBe(false);
  });

  test('comes to the same campaign from whatever compaction has left, also where operators raced', () => {
    const operator = fc.record({
      what: fc.constantFrom('start', 'pause', 'resume', 'cancel'),
      /** How many of the newest records this operator has not read yet. */
      behind: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(operator, { maxLength: 12 }), fc.array(fc.boolean()), (operators, keeps) => {
        const records: Omit<TableRecord, 'offset'>[] = [campaignRecord(planned, 'n')];
        for (const [i, { what, behind }] of operators.entries()) {
          const seen = tableOf(records.slice(0, Math.max(1, records.length - behind)));
          const before = seen.entry('c1');
          if (before === undefined) continue;
          try {
            const next = say(before.campaign, what);
            const nonce = `n${i}`;
            records.push(campaignRecord(next, nonce));
            const counted = tableOf(records).hasCounted('campaign', 'c1', next.revision, nonce);
            const gone = counted
              ? ({ kind: 'campaign', id: 'c1', revision: before.campaign.revision, nonce: before.nonce } as const)
              : ({ kind: 'campaign', id: 'c1', revision: next.revision, nonce } as const);
            records.push({ key: keyOf(gone), value: null });
          } catch {
            // Refused: nothing was written.
          }
        }
        const whole = tableOf(records);
        const again = new CampaignTable();
        for (const record of compacted(records, keeps)) again.apply(record);
        expect(again.campaign('c1')).toEqual(whole.campaign('c1'));
        expect(whole.campaign('c1')?.steps.map(({ revision }) => revision)).toEqual(
          Array.from({ length: whole.campaign('c1')?.revision ?? 0 }, (_, i) => i + 1),
        );
      }),
    );
  });

  test('takes no progress of an owner that has lost the partition, whenever it comes', () => {
    const table = tableOf([
      campaignRecord(planned, 'n1'),
      progressRecord(progress({ generation: 2, cursor: '5fsbhvm3dzua36zgwfjbeg4bvy' })),
      progressRecord(progress({ generation: 1, finished: true })),
    ]);
    expect(table.progressOf('c1', 0)).toEqual(progress({ generation: 2, cursor: '5fsbhvm3dzua36zgwfjbeg4bvy' }));
  });

  test('reads what it cannot understand as nothing, and counts it', () => {
    const table = tableOf([
      campaignRecord(planned, 'n1'),
      { key: keyOf({ kind: 'campaign', id: 'c1', revision: 2, nonce: 'x' }), value: new Uint8Array([255, 1, 2]) },
      { key: new TextEncoder().encode('something/newer'), value: new Uint8Array([1]) },
    ]);
    expect(table.campaign('c1')?.state).toBe('planned');
    expect(table.unreadable).toBe(1);
  });
});
