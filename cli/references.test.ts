import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { requireReadCap, takeCap, takeFileReference } from './cap-input.ts';
import { changeOf } from './commands/peer-settings.ts';
import { windowEnd } from './commands/peer-standing.ts';
import { parseShareNumbers } from './commands/share-regenerate.ts';
import { formatDomains, isInDomains, parseDomains } from './failure-domain.ts';
import { resolvePeer, resolvePeers } from './peer-reference.ts';

const readCap = 'URI:CHK:aaaaaaaaaaaaaaaaaaaaaaaaaa:mlnhnybfrydbjodsugg5kyyt7xlsd5d5akoozoyjhql2g2ivfofq:3:10:1000';
const verifyCap =
  'URI:CHK-Verifier:lrjvinfstmdyvk4adlyj5vqv7m:mlnhnybfrydbjodsugg5kyyt7xlsd5d5akoozoyjhql2g2ivfofq:3:10:1000';

function refusalOf(run: () => unknown): MeshwardError {
  try {
    run();
  } catch (error) {
    if (error instanceof MeshwardError) return error;
  }
  throw new Error('it was not refused');
}

describe('a failure domain', () => {
  test('is a kind and a name', () => {
    expect(parseDomains(['zone=eu-1', 'rack=R7'])).toEqual({ zone: 'eu-1', rack: 'R7' });
    expect(formatDomains({ zone: 'eu-1', rack: 'R7' })).toBe('rack=R7 zone=eu-1');
  });

  test.each(['zone', 'zone=', '=eu', 'zone=a=b', 'Zone=a', 'zone=a b', ''])('"%s" is refused', (text) => {
    expect(refusalOf(() => parseDomains([text])).code).toBe('bad-input');
  });

  test('is given once for each kind', () => {
    expect(refusalOf(() => parseDomains(['zone=a', 'zone=b'])).code).toBe('bad-input');
  });

  test('holds a peer that is in all that are wanted', () => {
    expect(isInDomains({ zone: 'a', rack: 'r' }, { zone: 'a' })).toBe(true);
    expect(isInDomains({ zone: 'a', rack: 'r' }, { zone: 'a', rack: 's' })).toBe(false);
    expect(isInDomains({ zone: 'a' }, {})).toBe(true);
  });
});

describe('a peer is named', () => {
  const id = (letter: string): string => Buffer.alloc(32, letter).toString('base64url');
  const directory = [
    { peerId: id('a'), name: 'alder-01' },
    { peerId: id('b'), name: 'twin' },
    { peerId: id('c'), name: 'twin' },
  ];

  test('by its name or its id', () => {
    expect(resolvePeer('alder-01', directory).peerId).toBe(id('a'));
    expect(resolvePeer(id('c'), directory).name).toBe('twin');
  });

  test('once, however often it is named', () => {
    expect(resolvePeers(['alder-01', id('a')], directory)).toHaveLength(1);
  });

  test('without doubt: a name of two peers is refused, with their ids', () => {
    const refusal = refusalOf(() => resolvePeer('twin', directory));
    expect(refusal.next).toContain(id('b'));
    expect(refusal.next).toContain(id('c'));
  });

  test('and an unknown name is refused, with one like it', () => {
    expect(refusalOf(() => resolvePeer('ALDER-01', directory)).message).toContain('alder-01');
    expect(refusalOf(() => resolvePeer('elm', directory)).code).toBe('file-unknown');
  });
});

describe('a cap', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meshward-caps-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('comes from the command line, and the rest of the arguments stays', async () => {
    const { cap, rest } = await takeCap([` ${verifyCap} `, 'out'], {});
    expect(cap.kind).toBe('verify');
    expect(rest).toEqual(['out']);
  });

  test('comes from a file, also from a line as put prints it', async () => {
    const path = join(folder, 'caps');
    await writeFile(path, `${readCap}  name of file (3 KiB)\n`);
    const { cap, rest } = await takeCap(['out'], { capFile: path });
    expect(cap.kind).toBe('read');
    expect(rest).toEqual(['out']);
  });

  test('is needed', async () => {
    await expect(takeCap([], {})).rejects.toMatchObject({ code: 'bad-input' });
    await expect(takeCap([], { capFile: join(folder, 'missing') })).rejects.toMatchObject({ code: 'bad-input' });
  });

  test('or a storage index names a file, and only that leaves this machine', async () => {
    const byIndex = await takeFileReference(['lrjvinfstmdyvk4adlyj5vqv7m'], {});
    const byCap = await takeFileReference([verifyCap], {});
    expect(byIndex).toMatchObject({ kind: 'file', storageIndex: 'lrjvinfstmdyvk4adlyj5vqv7m', manifest: null });
    expect(byCap).toMatchObject({ kind: 'file', storageIndex: 'lrjvinfstmdyvk4adlyj5vqv7m' });
    expect(JSON.stringify(await takeFileReference([readCap], {}))).not.toContain('aaaaaaaaaaaaaaaaaaaaaaaaaa');
  });

  test('that is garbled is refused without being repeated', async () => {
    for (const garbled of [readCap.slice(4), readCap.slice(0, 60), readCap.replace('URI', 'URL'), `${readCap}:x`]) {
      const refusal = await takeFileReference([garbled], {}).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(MeshwardError);
      expect(JSON.stringify(refusal) + (refusal as MeshwardError).message).not.toContain('aaaaaaaa');
    }
  });

  test('that only verifies reads nothing', async () => {
    const { cap } = await takeCap([verifyCap], {});
    expect(refusalOf(() => requireReadCap(cap)).code).toBe('bad-cap');
  });
});

describe('options of peers', () => {
  test('a window of maintenance ends after its length, or now', () => {
    expect(windowEnd({ for: '2h', end: false }, 1000)).toBe(7_201_000);
    expect(windowEnd({ end: true }, 1000)).toBe(0);
    expect(refusalOf(() => windowEnd({ end: false }, 0)).code).toBe('bad-input');
    expect(refusalOf(() => windowEnd({ for: '2h', end: true }, 0)).code).toBe('bad-input');
  });

  test('settings change only what is given', () => {
    expect(changeOf({})).toEqual({});
    expect(changeOf({ heartbeat: '10s', verifyRate: '0' })).toEqual({ heartbeatMs: 10_000, verifyBytesPerSecond: 0 });
    expect(changeOf({ inventoryEvery: '100ms', serveRate: '1MiB' })).toEqual({
      inventoryIntervalS: 1,
      serveBytesPerSecond: 1_048_576,
    });
  });
});

describe('share numbers', () => {
  test('are distinct and below n', () => {
    expect(parseShareNumbers('7, 9,7,0', 10)).toEqual([7, 9, 0]);
    for (const text of ['10', '', '1,,2', '-1', 'a'])
      expect(refusalOf(() => parseShareNumbers(text, 10)).code).toBe('bad-input');
  });
});
