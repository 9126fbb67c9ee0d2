import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CollectorError } from '#collector/gateway/collector-error.ts';
import { maxAskedFiles } from '#mesh/asking.ts';
import { parseCap } from '#mesh/caps.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import { askInBulk } from './ask-in-bulk.ts';
import { readAskedLines } from './asked-lines.ts';
import { describeAskedFile, describeAskedFiles } from './describe-asked.ts';

const key = 'k3iw3dqkyvalbn5gdwd4ax2pzm';
const readCap = `URI:CHK:${key}:wfnvz5cv5d4drq3fmqouhvamhtmlxxg5gt73gmry2s3ryh3h45aq:25:100:1048601`;
const fileWith = (text: string): string => {
  const path = join(mkdtempSync(join(tmpdir(), 'meshward-ask-')), 'caps');
  writeFileSync(path, text);
  return path;
};

describe('caps that are asked of', () => {
  test('leave as storage indexes, with the names that stand behind them, and no key goes on', async () => {
    const path = fileWith(`${readCap}  report.pdf\n\n${fileOf(1)}\nURI:LIT:nbswy3dp  small\n`);
    const { lines, isSingle } = await readAskedLines([], path);
    const cap = parseCap(readCap);
    expect(lines).toEqual([
      { name: 'report.pdf', storageIndex: cap.kind === 'literal' ? '' : cap.manifest.storageIndex },
      { name: '', storageIndex: fileOf(1) },
      { name: 'small', storageIndex: null },
    ]);
    expect(isSingle).toBe(false);
    expect(JSON.stringify(lines)).not.toContain(key);
  });

  test('that cannot be read are told by their line, and not repeated', async () => {
    const refused = readAskedLines([], fileWith(`${fileOf(1)}\nURI:CHK:${key}:x\n`));
    await expect(refused).rejects.toMatchObject({ code: 'bad-cap', message: expect.stringContaining('line 2: ') });
    await expect(refused).rejects.not.toThrow(key);
    await expect(readAskedLines([], undefined)).rejects.toMatchObject({ code: 'bad-input' });
    await expect(readAskedLines(['-', 'x'], undefined)).rejects.toMatchObject({ code: 'bad-input' });
  });
});

describe('asking in bulk', () => {
  const many = Array.from({ length: maxAskedFiles + 20 }, (_, i) => fileOf(i));
  const limited = () =>
    new CollectorError(429, { code: 'peer-limit', message: 'slower', next: 'wait', retryable: true }, 2000);

  test('goes part by part, and waits as long as the collector says', async () => {
    const clock = new ManualClock();
    const sizes: number[] = [];
    let isTired = true;
    const asking = askInBulk(
      {
        ask: async (files) => {
          sizes.push(files.length);
          isTired = !isTired;
          if (isTired) throw limited();
          return { files: files.map((storageIndex) => ({ storageIndex, answer: 'unanswered', why: '' })) };
        },
      },
      many,
      () => undefined,
      clock,
    );
    await clock.advance(1999);
    expect(sizes).toEqual([maxAskedFiles, 20]);
    await clock.advance(1);
    expect((await asking).size).toBe(many.length);
    expect(sizes).toEqual([maxAskedFiles, 20, 20]);
  });

  test('gives up where waiting does not help', async () => {
    const clock = new ManualClock();
    let asks = 0;
    const asking = askInBulk(
      {
        ask: async () => {
          asks += 1;
          throw limited();
        },
      },
      many,
      () => undefined,
      clock,
    );
    asking.catch(() => undefined);
    await clock.advance(60_000);
    await expect(asking).rejects.toMatchObject({ code: 'peer-limit' });
    expect(asks).toBe(11);
  });
});

test('people are told the answer first, and when it is old', () => {
  const freshness = { state: 'stale' as const, asOfMs: 1, reasons: ['no tick for 60 s'] };
  const storageIndex = fileOf(1);
  const file = {
    storageIndex,
    answer: 'known' as const,
    recoverableNow: false,
    k: 25,
    n: 100,
    available: 24,
    counted: 24,
    retained: 90,
    corrupt: 0,
    margin: -1,
    grade: 'lost' as const,
    settling: false,
    tolerancePeers: 0,
    toleranceDomains: {},
    onAtRiskList: true,
    freshness,
  };
  expect(describeAskedFile({ name: '', file })).toMatch(/^recoverable now +no: 24 of 25 needed shares/);
  expect(describeAskedFile({ name: '', file })).toContain('stale, as of 1970-01-01T00:00:00.001Z: no tick for 60 s');
  const all = describeAskedFiles([
    { name: 'a', file },
    { name: 'b', file: { ...file, recoverableNow: true } },
    { name: 'c', file: { storageIndex, answer: 'unknown', why: 'x', freshness } },
    { name: 'd', file: { storageIndex, answer: 'unanswered', why: 'x' } },
  ]);
  expect(all).toContain(
    '4 files: 1 could be recovered now, 1 could not, 1 are not known, 1 cannot be told at the moment.',
  );
  expect(all).toContain('Health is stale');
});
