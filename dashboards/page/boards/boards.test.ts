/** What dashboards on the page may be asked, and what never reaches the database. */
import { describe, expect, it } from 'vitest';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { dashboards } from '../../grafana/boards/all.ts';
import { BoardAnswers } from './board-answers.ts';
import { spanOf } from './range.ts';
import { type BoardAnswer, SharedQuestions } from './reader.ts';

const nothing: BoardAnswer = { columns: [], rows: [] };
const span = { fromMs: 1_700_000_000_000, toMs: 1_700_003_600_000 };

/** A database that has two policies and one kind of domain, and writes down what it is asked. */
class WrittenReader {
  readonly asked: string[] = [];
  readonly choices: readonly string[];

  constructor(choices: readonly string[] = ['25-of-100', '3-of-10']) {
    this.choices = choices;
  }

  ask(sql: string): Promise<BoardAnswer> {
    this.asked.push(sql);
    const rows = /DISTINCT policy|GROUP BY tag/.test(sql) ? this.choices.map((choice) => [choice]) : [['zone']];
    return Promise.resolve({ columns: [{ name: 'choice', type: 'String' }], rows });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function answersWith(reader = new WrittenReader()): { answers: BoardAnswers; reader: WrittenReader } {
  return { answers: new BoardAnswers(dashboards, reader, 'mesh'), reader };
}

describe('dashboards on the page', () => {
  it('are the committed ones, the mesh first', () => {
    const { answers } = answersWith();
    const uids = answers.list().map(({ uid }) => uid);
    expect(uids[0]).toBe('meshward-mesh');
    expect(uids).toEqual(expect.arrayContaining(['meshward-damage', 'meshward-peers', 'meshward-capacity']));
  });

  it('take values that are choices, and no others', async () => {
    const { answers } = answersWith();
    const policies = async (policy: string | readonly string[]) =>
      (await answers.variables('meshward-mesh', { policy }, span)).find(({ name }) => name === 'policy')?.value;
    expect(await policies('3-of-10')).toEqual(['3-of-10']);
    expect(await policies(['3-of-10', 'none'])).toEqual(['3-of-10']);
    expect(await policies("x') OR 1 = 1 --")).toEqual(['25-of-100', '3-of-10']);
  });

  it('offer no choice that could end a text in a statement', async () => {
    const { answers } = answersWith(new WrittenReader(['plain', 'back\\slash', "quo'te", 'new\nline']));
    const [policy] = await answers.variables('meshward-mesh', {}, span);
    expect(policy?.choices.map(({ value }) => value)).toEqual(['plain']);
  });

  it('ask the one database that they are for, whatever is chosen', async () => {
    const { answers, reader } = answersWith();
    const board = answers.board('meshward-mesh');
    const panel = board.panels.find(({ type }) => type === 'heatmap');
    await answers.panel('meshward-mesh', panel?.id ?? 0, { database: 'system', runbooks: 'x' }, span);
    expect(reader.asked.length).toBeGreaterThan(1);
    for (const sql of reader.asked) {
      expect(sql).not.toMatch(/\$|system\./);
      expect(sql).toContain('mesh.');
    }
  });

  it('refuse what was typed with marks that end a text', async () => {
    const { answers } = answersWith();
    await expect(answers.variables('meshward-files', { file: "a' OR 1" }, span)).rejects.toMatchObject({
      code: 'bad-input',
    });
    const typed = await answers.variables('meshward-files', { file: 'aaaa' }, span);
    expect(typed.find(({ name }) => name === 'file')).toMatchObject({ kind: 'text', value: 'aaaa' });
  });

  it('refuse dashboards and panels that are not there', async () => {
    const { answers, reader } = answersWith();
    expect(() => answers.board('other')).toThrow('no dashboard of this name');
    await expect(answers.panel('meshward-mesh', 9999, {}, span)).rejects.toMatchObject({ code: 'bad-input' });
    expect(reader.asked).toEqual([]);
  });
});

describe('spans', () => {
  const nowMs = 1_700_000_001_000;

  it.each([
    ['now-6h', 'now', 6 * 3_600_000],
    ['now-7d', 'now-1d', 6 * 86_400_000],
    ['1699999000000', '1700000000000', 1_000_000],
  ])('from %s to %s are %i ms long', (from, to, longMs) => {
    const { fromMs, toMs } = spanOf(from, to, nowMs);
    expect(toMs - fromMs).toBe(longMs);
  });

  it('that end now end at the same moment for all who ask within five seconds', () => {
    expect(spanOf('now-1h', 'now', nowMs)).toEqual(spanOf('now-1h', 'now', nowMs + 3000));
  });

  it.each([
    ['now', 'now-1h'],
    ['now-5s', 'now'],
    ['now-9y', 'now'],
    ['now-6h;', 'now'],
    ['yesterday', 'now'],
    ['', ''],
  ])('from %j to %j are refused', (from, to) => {
    expect(() => spanOf(from, to, nowMs)).toThrow('no span of time');
  });
});

describe('questions of many viewers', () => {
  it('that are the same are asked once, for a moment', async () => {
    const clock = new ManualClock();
    let asked = 0;
    const questions = new SharedQuestions(() => Promise.resolve({ ...nothing, rows: [[++asked]] }), clock);
    expect(await questions.ask('a')).toEqual(await questions.ask('a'));
    expect(asked).toBe(1);
    await clock.advance(5000);
    await questions.ask('a');
    expect(asked).toBe(2);
  });

  it('that failed are asked again', async () => {
    let asked = 0;
    const read = (): Promise<BoardAnswer> =>
      ++asked === 1 ? Promise.reject(new Error('away')) : Promise.resolve(nothing);
    const questions = new SharedQuestions(read, new ManualClock());
    await expect(questions.ask('a')).rejects.toThrow('away');
    expect(await questions.ask('a')).toEqual(nothing);
  });

  it('go to the database three at a time, and beyond a bound are refused', async () => {
    const gate = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    const questions = new SharedQuestions(async () => {
      most = Math.max(most, ++running);
      await gate.promise;
      running--;
      return nothing;
    }, new ManualClock());
    const all = Array.from({ length: 310 }, (_, i) => questions.ask(`question ${i}`));
    const settled = Promise.allSettled(all);
    gate.resolve();
    const ends = await settled;
    expect(most).toBe(3);
    const refused = ends.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(7);
    expect(refused[0]).toMatchObject({ reason: { code: 'service-busy', retryable: true } });
  });
});
