import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { type Disk, quickDisk, systemDisk } from './disk.ts';
import { lease, leases, secrets, storeShare, uploadSecret } from './example-upload.ts';
import { JointExchanges } from './joint-exchanges.ts';
import { encodeJointAnswer, encodeJointRequest, type JointPart, jointMaxBytes } from './joint-message.ts';
import { takesJointExchanges } from './message.ts';
import type { PeerAnswer, PeerRequest } from './peer-connections.ts';
import { refusalReason } from './refused-error.ts';
import { type StartedPeer, startPeer } from './started-peer.ts';

let started: StartedPeer;
let requests: () => number;

async function start(...given: Parameters<typeof startPeer>): Promise<void> {
  started = await startPeer(...given);
  await started.peer.version();
  const before = started.server.stats().requests;
  requests = () => started.server.stats().requests - before;
}
beforeEach(() => start());
afterEach(() => started.stop());

const newIndex = (): StorageIndex => storageIndexFromBytes(randomBytes(16));
const share = (bytes: Uint8Array, change = {}) => ({ bytes, uploadSecret, ...leases, ...change });
const reasons = (results: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  results.map((one) => (one.status === 'fulfilled' ? one.value : refusalReason(one.reason)));

async function restart(change: Parameters<typeof startPeer>[0]): Promise<void> {
  await started.stop();
  await start(change);
}

describe('exchanges that are wanted at the same time', () => {
  it('go in one request: whole shares of many files, each durable and told of', async () => {
    const files = Array.from({ length: 20 }, () => ({ index: newIndex(), data: randomBytes(500) }));
    const outcomes = await Promise.all(files.map(({ index, data }) => started.peer.putWhole(index, 3, share(data))));
    expect(new Set(outcomes)).toEqual(new Set(['stored']));
    expect(requests()).toBe(1);
    expect(started.events.map((event) => event.storageIndex).sort()).toEqual(files.map(({ index }) => index).sort());
    const read = await Promise.all(files.map(({ index }) => started.peer.read(index, 3, 100, 9_999)));
    expect(read.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(
      files.map(({ data }) => data.subarray(100).toString('hex')),
    );
    expect(requests()).toBe(2);
    expect(new Set(read.map((bytes) => bytes.buffer)).size).toBe(20);
    expect(started.server.stats()).toMatchObject({
      sharesStored: 20,
      shareBytesWritten: 10_000,
      shareBytesRead: 8_000,
    });
  });

  it('share the syncs of one turn', async () => {
    let turns = 0;
    const atOnce = quickDisk.atOnce as NonNullable<Disk['atOnce']>;
    const counted = <Given extends unknown[], Done>(step: (...given: Given) => Done) => {
      return (...given: Given): Done => {
        turns++;
        return step(...given);
      };
    };
    const { writeFiles, journal } = atOnce;
    const own = journal === undefined ? {} : { journal: { ...journal, journalFiles: counted(journal.journalFiles) } };
    await restart({ disk: { ...quickDisk, atOnce: { ...atOnce, writeFiles: counted(writeFiles), ...own } } });
    await Promise.all([1, 2, 3, 4, 5].map((n) => started.peer.putWhole(newIndex(), n, share(randomBytes(50)))));
    expect(turns).toBe(1);
  });

  it('have outcomes of their own', async () => {
    const [held, uploading, fenced, damaged, fresh] = [newIndex(), newIndex(), newIndex(), newIndex(), newIndex()];
    await storeShare(started.peer, held, 1, randomBytes(10));
    await started.peer.allocate(uploading, { shareNumbers: [1], allocatedBytes: 10, ...leases, uploadSecret });
    const newer = { scope: 's', generation: 2 };
    await started.peer.putWhole(newIndex(), 1, share(randomBytes(10), { fence: newer }));
    const overtaken = { fence: { scope: 's', generation: 1 } };
    const before = requests();
    const results = await Promise.allSettled([
      started.peer.putWhole(held, 1, share(randomBytes(10))),
      started.peer.putWhole(uploading, 1, share(randomBytes(10))),
      started.peer.putWhole(fenced, 1, share(randomBytes(10), overtaken)),
      started.peer.putWhole(damaged, 1, share(randomBytes(10), { fence: newer })),
      started.peer.putWhole(fresh, 1, share(randomBytes(10))),
    ]);
    expect(reasons(results)).toEqual(['held', 'conflict', 'fenced', 'stored', 'stored']);
    expect(requests() - before).toBe(1);
    expect(await started.peer.listShares(fenced)).toEqual(new Set());
  });

  it('are read for themselves: there, past the end, missing', async () => {
    const index = newIndex();
    await storeShare(started.peer, index, 1, randomBytes(100));
    const before = requests();
    const results = await Promise.allSettled([
      started.peer.read(index, 1, 0, 40),
      started.peer.read(index, 1, 100, 40),
      started.peer.read(index, 2, 0, 40),
      started.peer.read(index, 1, 90, 40),
    ]);
    expect(results.map((one) => (one.status === 'fulfilled' ? one.value.length : refusalReason(one.reason)))).toEqual([
      40,
      0,
      'not-found',
      10,
    ]);
    expect(requests() - before).toBe(1);
  });

  it('are taken as far as there is room', async () => {
    const disk = { ...systemDisk, freeBytes: () => Promise.resolve(2_500) };
    await restart({ disk, limits: { reservedDiskBytes: 0 } });
    const results = await Promise.allSettled(
      [1, 2, 3].map((n) => started.peer.putWhole(newIndex(), n, share(randomBytes(900)))),
    );
    expect(reasons(results)).toEqual(['stored', 'stored', 'no-space']);
    expect(requests()).toBe(1);
  });

  it('go together without a disk that does several things at once too', async () => {
    await restart({ disk: systemDisk });
    const index = newIndex();
    expect(await Promise.all([1, 2].map((n) => started.peer.putWhole(index, n, share(randomBytes(70)))))).toEqual([
      'stored',
      'stored',
    ]);
    const read = await Promise.all([1, 2].map((n) => started.peer.read(index, n, 60, 70)));
    expect(read.map((bytes) => bytes.length)).toEqual([10, 10]);
    expect(requests()).toBe(2);
  });

  it('are called off for themselves', async () => {
    const stop = new AbortController();
    const [index, other] = [newIndex(), newIndex()];
    const results = Promise.allSettled([
      started.peer.putWhole(index, 1, share(randomBytes(70)), { signal: stop.signal }),
      started.peer.putWhole(other, 1, share(randomBytes(70))),
      started.peer.putWhole(other, 2, share(randomBytes(70))),
    ]);
    stop.abort(new Error('no more'));
    expect((await results).map((one) => one.status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(await started.peer.listShares(index)).toEqual(new Set());
  });

  it('go one by one to a peer that was not asked what it takes, and so does one that is alone or long', async () => {
    const unasked = started.client.peer(started.server.nurl);
    await Promise.all([1, 2, 3].map((n) => unasked.putWhole(newIndex(), n, share(randomBytes(70)))));
    expect(requests()).toBe(3);
    await started.peer.putWhole(newIndex(), 1, share(randomBytes(70)));
    await Promise.all([1, 2].map((n) => started.peer.putWhole(newIndex(), n, share(randomBytes(65 * 1024)))));
    expect(requests()).toBe(6);
  });

  it('all fail with a peer that dies, and their number is bounded', async () => {
    const doomed = Promise.allSettled(
      [1, 2, 3].map((n) => started.peer.putWhole(newIndex(), n, share(randomBytes(70)))),
    );
    await started.server.close(0);
    for (const one of await doomed) if (one.status === 'rejected') expect(one.reason.code).toBe('gbs-unreachable');
    const many = await Promise.allSettled(Array.from({ length: 1_100 }, () => started.peer.read(newIndex(), 1, 0, 9)));
    const codes = many.map((one) => (one.status === 'rejected' ? one.reason.code : 'none'));
    expect(codes.filter((code) => code === 'service-busy')).toHaveLength(1_100 - 1_024);
    expect(codes.filter((code) => code === 'gbs-unreachable')).toHaveLength(1_024);
  });
});

describe('the route of joint exchanges', () => {
  const put: JointPart = {
    kind: 'put',
    index: newIndex(),
    shareNumber: 1,
    bytes: new Uint8Array(9),
    ...leases,
    uploadSecret,
  };
  const read: JointPart = { kind: 'read', index: newIndex(), shareNumber: 1, offset: 0, length: 9 };
  const post = async (body: Uint8Array, headers = {}): Promise<number> =>
    (await started.raw('POST', '/meshward/v1/joint', { body, headers })).status;

  it('refuses what is none, and stores nothing of it', async () => {
    const good = encodeJointRequest([put, read]);
    const flawed = [
      good.subarray(0, 3),
      good.subarray(0, good.length - 1),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.alloc(40, 0xff),
      Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from([0x80])]),
      randomBytes(500),
      encodeJointRequest(Array.from({ length: 65 }, () => read)),
      encodeJointRequest([{ ...read, length: 600 * 1024 }]),
      encodeJointRequest([{ ...put, bytes: new Uint8Array(0) }]),
      encodeJointRequest([{ ...put, renewSecret: new Uint8Array(31) }]),
      encodeJointRequest([{ ...put, shareNumber: 256 }]),
      encodeJointRequest([{ ...put, index: 'a/../../../../../etc/passwd' as StorageIndex }]),
      encodeJointRequest([put, { ...put, fence: { scope: 'a b', generation: 1 } }]),
    ];
    for (const [at, body] of flawed.entries()) expect([at, await post(body)]).toEqual([at, 400]);
    expect(await post(new Uint8Array(jointMaxBytes + 1))).toBe(413);
    expect(await post(good, { authorization: 'Tahoe-LAFS wrong' })).toBe(401);
    expect(await post(good, { [secrets]: lease })).toBe(400);
    expect((await started.raw('GET', '/meshward/v1/joint')).status).toBe(405);
    expect(started.events).toEqual([]);
    expect(started.failures).toEqual([]);
    expect(await post(good)).toBe(200);
  });

  it('is refused for now where more is under way than fits into memory', async () => {
    await restart({ limits: { maxWholeShareBytes: 100 } });
    expect(await post(encodeJointRequest([put]))).toBe(503);
    const results = await Promise.allSettled(
      [1, 2].map((n) => started.peer.putWhole(newIndex(), n, share(randomBytes(90)))),
    );
    expect(reasons(results)).toEqual(['busy', 'busy']);
  });
});

describe('a peer that answers otherwise than agreed', () => {
  const parts = [1, 2].map((shareNumber) => {
    const part: JointPart = { kind: 'read', index: newIndex(), shareNumber, offset: 0, length: 9 };
    const alone: PeerRequest = {
      method: 'GET',
      path: `/${shareNumber}`,
      headers: [],
      bodyMaxBytes: () => 9,
      transferBytes: 9,
    };
    return { part, alone };
  });
  const bytes = new Uint8Array(9);

  async function asked(
    joint: Partial<PeerAnswer>,
  ): Promise<{ results: PromiseSettledResult<PeerAnswer>[]; paths: string[] }> {
    const paths: string[] = [];
    const exchanges = new JointExchanges({
      send(request) {
        paths.push(request.path);
        const answer = request.path.endsWith('/joint') ? joint : { status: 204 };
        return Promise.resolve({ status: 200, headers: {}, body: new Uint8Array(0), wasRepeated: false, ...answer });
      },
      improper: () => new RangeError('improper'),
      requestTimeoutMs: 1_000,
    });
    exchanges.learn(true);
    return { results: await Promise.allSettled(parts.map((one) => exchanges.ask(one))), paths };
  }

  it.each([
    ['nothing', new Uint8Array(0)],
    ['too few outcomes', encodeJointAnswer([{ status: 206, bytes }])],
    ['a range without bytes', encodeJointAnswer([{ status: 206 }, { status: 206, bytes }])],
    [
      'a longer range',
      encodeJointAnswer([
        { status: 206, bytes: new Uint8Array(10) },
        { status: 206, bytes },
      ]),
    ],
    [
      'bytes with a refusal',
      encodeJointAnswer([
        { status: 404, bytes },
        { status: 206, bytes },
      ]),
    ],
    ['no status', encodeJointAnswer([{ status: 7 }, { status: 206, bytes }])],
  ])('with %s is not believed in any part', async (_, body) => {
    const { results } = await asked({ body });
    for (const one of results) expect(one).toMatchObject({ status: 'rejected', reason: { message: 'improper' } });
  });

  it('is asked for each part alone where it does not know such exchanges, or cannot read one', async () => {
    for (const status of [400, 404, 405, 413]) {
      const { results, paths } = await asked({ status });
      expect(results.map((one) => one.status === 'fulfilled' && one.value.status)).toEqual([204, 204]);
      expect(paths).toEqual(['/meshward/v1/joint', '/1', '/2']);
    }
  });

  it('is believed where it refuses all of it', async () => {
    const { results } = await asked({ status: 503 });
    expect(results.map((one) => one.status === 'fulfilled' && one.value.status)).toEqual([503, 503]);
  });
});

it('the version tells which peers take them', () => {
  const of = (applicationVersion: string): boolean =>
    takesJointExchanges({ applicationVersion, maximumShareBytes: 0, availableBytes: 0 });
  expect(['meshward/0.4', 'meshward/0.12', 'meshward/1.0'].map(of)).toEqual([true, true, true]);
  expect(['meshward/0.3', 'meshward/0.2', 'tahoe-lafs/1.20.0', '', 'meshward/x'].map(of)).toEqual([
    false,
    false,
    false,
    false,
    false,
  ]);
});
