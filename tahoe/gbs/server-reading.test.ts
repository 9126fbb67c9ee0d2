import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { writeContainerHeader } from '../share/container.ts';
import { secretValue } from './authorization.ts';
import { allocateBody, cbor, lease, secrets, storeShare, upload } from './example-upload.ts';
import * as message from './message.ts';
import { type StartedPeer, startPeer } from './started-peer.ts';

let started: StartedPeer;
let index: StorageIndex;
let path: string;
beforeEach(async () => {
  index = storageIndexFromBytes(randomBytes(16));
  path = `/storage/v1/immutable/${index}`;
  started = await startPeer();
});
afterEach(() => started.stop());

const store = (shareNumber: number, data: Uint8Array): Promise<void> =>
  storeShare(started.peer, index, shareNumber, data);

function shareFile(shareNumber: number): string {
  return join(started.folder, 'shares', index.slice(0, 2), index, String(shareNumber));
}

describe('authorization', () => {
  it.each(['', 'Tahoe-LAFS', 'Tahoe-LAFS d3Jvbmc=', `Basic ${Buffer.from('x').toString('base64')}`])(
    '401 for %j, wherever it is sent',
    async (value) => {
      for (const target of ['/storage/v1/version', '/nowhere', `${path}/shares`]) {
        expect((await started.raw('GET', target, { headers: { authorization: value } })).status).toBe(401);
      }
      expect(
        (await started.raw('PATCH', `${path}/1`, { headers: { authorization: value }, body: new Uint8Array(1000) }))
          .status,
      ).toBe(401);
    },
  );

  it('400 unless exactly the required secrets are given', async () => {
    const body = allocateBody([1], 100);
    const attempts = [
      [],
      lease,
      [...lease, upload, upload],
      [...lease, `${upload}!`],
      [...lease, 'write-enabler AAAA'],
      [lease[0] as string, lease[0] as string, upload],
    ];
    for (const values of attempts) {
      expect((await started.raw('POST', path, { headers: { ...cbor, [secrets]: values }, body })).status).toBe(400);
    }
    const short = [secretValue('lease-renew-secret', new Uint8Array(31)), lease[1] as string, upload];
    expect((await started.raw('POST', path, { headers: { ...cbor, [secrets]: short }, body })).status).toBe(400);
    expect((await started.raw('GET', `${path}/shares`, { headers: { [secrets]: [upload] } })).status).toBe(400);
    expect(
      (await started.raw('POST', path, { headers: { ...cbor, [secrets]: [...lease, upload] }, body })).status,
    ).toBe(200);
  });

  it('404 for what does not exist and 405 for other methods, and nothing leads out of the folder', async () => {
    for (const target of [
      '/',
      '/storage/v1/immutable/',
      '/storage/v1/immutable/abc/shares',
      `${path}/../1`,
      `${path}/%2e%2e`,
      `${path}/256`,
      `${path}/1/other`,
      '/storage/v1/version/x',
    ]) {
      expect((await started.raw('GET', target)).status).toBe(404);
    }
    expect((await started.raw('DELETE', `${path}/1`)).status).toBe(405);
    expect((await started.raw('POST', '/storage/v1/version')).status).toBe(405);
  });

  it('406 for another accepted type and 415 for another content type', async () => {
    expect((await started.raw('GET', `${path}/shares`, { headers: { accept: '*/*' } })).status).toBe(406);
    const headers = { accept: message.cborType, 'content-type': 'application/json', [secrets]: [...lease, upload] };
    expect((await started.raw('POST', path, { headers, body: allocateBody([1], 9) })).status).toBe(415);
  });
});

describe('reading', () => {
  const data = randomBytes(700_000);

  it('gives any range, and only share data', async () => {
    await store(4, data);
    for (const [offset, length] of [
      [0, 1],
      [0, 700_000],
      [17, 300_001],
      [699_999, 1],
      [699_990, 100],
    ] as const) {
      expect(
        Buffer.from(await started.peer.read(index, 4, offset, length)).equals(data.subarray(offset, offset + length)),
      ).toBe(true);
    }
    expect(await started.peer.read(index, 4, 700_000, 10)).toHaveLength(0);
    expect(Buffer.from(await started.peer.readAll(index, 4)).equals(data)).toBe(true);
  });

  it('answers with the statuses and headers of Tahoe', async () => {
    await store(4, data.subarray(0, 100));
    const part = await started.raw('GET', `${path}/4`, { headers: { range: 'bytes=90-200' } });
    expect(part).toMatchObject({
      status: 206,
      headers: { 'content-range': 'bytes 90-99/*', 'content-type': message.shareType },
    });
    expect((await started.raw('GET', `${path}/4`, { headers: { range: 'bytes=100-101' } })).status).toBe(204);
    for (const range of ['bytes=5-', 'bytes=-5', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=9-8']) {
      expect((await started.raw('GET', `${path}/4`, { headers: { range } })).status).toBe(416);
    }
    expect(await started.raw('GET', `${path}/4`)).toMatchObject({ status: 200, body: data.subarray(0, 100) });
    expect((await started.raw('GET', `${path}/5`, { headers: { range: 'bytes=0-1' } })).status).toBe(404);
  });

  it('sees at once what others remove, replace or put in place', async () => {
    await store(4, data.subarray(0, 100));
    expect(await started.peer.read(index, 4, 0, 1)).toHaveLength(1);
    await writeFile(`${shareFile(4)}.tmp`, Buffer.concat([writeContainerHeader(2, 3), Buffer.from('new')]));
    await rename(`${shareFile(4)}.tmp`, shareFile(4));
    expect(Buffer.from(await started.peer.readAll(index, 4)).toString()).toBe('new');
    await rename(shareFile(4), shareFile(77));
    expect(await started.peer.listShares(index)).toEqual(new Set([77]));
    await rm(shareFile(77));
    await expect(started.peer.read(index, 4, 0, 1)).rejects.toMatchObject({
      code: 'gbs-refused',
      details: { status: 404, reason: 'not-found' },
    });
    expect(await started.peer.listShares(index)).toEqual(new Set());
  });

  it('says that a share is damaged where its container cannot be read, tells of it, and keeps serving', async () => {
    await mkdir(dirname(shareFile(1)), { recursive: true });
    await writeFile(shareFile(1), 'rubbish that is longer than a header');
    await expect(started.peer.read(index, 1, 0, 5)).rejects.toMatchObject({
      code: 'share-malformed',
      retryable: false,
      details: { status: 422 },
    });
    await store(2, data.subarray(0, 100));
    const file = await open(shareFile(2), 'r+');
    await file.write(new Uint8Array(64), 0, 64, 0);
    await file.close();
    await expect(started.peer.read(index, 2, 0, 5)).rejects.toMatchObject({ code: 'share-malformed' });
    expect(started.events.slice(-1)).toEqual([{ kind: 'corruption-reported', storageIndex: index, shareNumber: 2 }]);
    expect(started.server.stats().failed).toBe(0);
    expect((await started.peer.version()).availableBytes).toBeGreaterThan(0);
  });

  it('follows no link, of a prefix, of a file or of a share', async () => {
    await store(4, data.subarray(0, 100));
    const prefix = dirname(dirname(shareFile(4)));
    await rename(prefix, `${prefix}.moved`);
    await symlink(`${prefix}.moved`, prefix);
    expect(await started.peer.listShares(index)).toEqual(new Set());
    await expect(started.peer.read(index, 4, 0, 1)).rejects.toMatchObject({ details: { reason: 'not-found' } });
    await rm(prefix);
    await rename(`${prefix}.moved`, prefix);
    await symlink(shareFile(4), shareFile(5));
    await expect(started.peer.read(index, 5, 0, 1)).rejects.toMatchObject({ details: { reason: 'not-found' } });
    expect(await started.peer.read(index, 4, 0, 1)).toHaveLength(1);
  });

  it('keeps a bounded number of files open', async () => {
    for (let number = 0; number < 40; number++) await store(number, data.subarray(0, 10));
    await Promise.all(Array.from({ length: 40 }, (_, number) => started.peer.read(index, number, 0, 10)));
    expect(started.server.stats().openFiles).toBeLessThanOrEqual(32);
  });
});
