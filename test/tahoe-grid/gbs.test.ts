/** GBS against the real Tahoe-LAFS: our client on its storage node, its client on our servers. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeBase32 } from '#mesh/base32.ts';
import { parseManifest } from '#mesh/caps.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { createStorageClient, type PeerClient, type StorageClient } from '#tahoe/gbs/client.ts';
import { hashedSecret } from '#tahoe/gbs/lease-records.ts';
import { createStorageServer, type StorageServer } from '#tahoe/gbs/server.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { leaseSecretsFor, leaseSeedOfPeer } from '#tahoe/identity/lease-secrets.ts';
import { Nurl } from '#tahoe/identity/nurl.ts';
import { createPeerKey } from '#tahoe/identity/peer-key.ts';
import { startTahoeGrid, type TahoeGrid } from './grid.ts';

const serverCount = 3;
const leases = { renewSecret: new Uint8Array(32).fill(1), cancelSecret: new Uint8Array(32).fill(2) };
const uploadSecret = randomBytes(20);

let folder: string;
let servers: StorageServer[];
let shareFolders: string[];
let grid: TahoeGrid;
let client: StorageClient;
/** Our client's view of the real node. */
let tahoe: PeerClient;
const failures: unknown[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshward-gbs-grid-'));
  servers = [];
  shareFolders = [];
  for (let i = 0; i < serverCount; i++) {
    const shareFolder = await mkdtemp(join(folder, 'peer-'));
    shareFolders.push(shareFolder);
    servers.push(
      await createStorageServer({
        shareFolder,
        identity: await createPeerIdentity(),
        swissnum: `swissnum${i}`,
        onFailure: (error) => failures.push(error),
      }),
    );
  }
  grid = await startTahoeGrid({
    nodeCount: 1,
    needed: 2,
    happy: 4,
    total: 4,
    otherServers: servers.map((server) => server.nurl),
  });
  client = createStorageClient();
  tahoe = client.peer((grid.nodes[0] as { nurl: Nurl }).nurl);
}, 300_000);

afterAll(async () => {
  await client?.close();
  await grid?.stop();
  await Promise.all((servers ?? []).map((server) => server.close(0)));
  await rm(folder, { recursive: true, force: true });
});

const freshIndex = (): StorageIndex => storageIndexFromBytes(randomBytes(16));

describe('our client on a Tahoe storage node', () => {
  it('reads its version', async () => {
    const version = await tahoe.version();
    expect(version.applicationVersion).toMatch(/tahoe-lafs\/1\.20/);
    expect(version.availableBytes).toBeGreaterThan(0);
  });

  it('uploads in pieces, resumes, lists and reads any range', async () => {
    const index = freshIndex();
    const data = randomBytes(300_000);
    expect(await tahoe.listShares(index)).toEqual(new Set());
    const given = { shareNumbers: [0, 5], allocatedBytes: data.length, uploadSecret, ...leases };
    expect(await tahoe.allocate(index, given)).toEqual({ alreadyHave: new Set(), allocated: new Set([0, 5]) });
    expect(await tahoe.write(index, 5, 100_000, data.subarray(100_000), uploadSecret)).toEqual({
      isComplete: false,
      required: [{ begin: 0, end: 100_000 }],
    });
    expect(await tahoe.listShares(index)).toEqual(new Set());
    expect(await tahoe.write(index, 5, 0, data.subarray(0, 100_000), uploadSecret)).toEqual({
      isComplete: true,
      required: [],
    });
    expect(await tahoe.listShares(index)).toEqual(new Set([5]));
    for (const [offset, length] of [
      [0, 300_000],
      [0, 1],
      [299_990, 100],
      [150_000, 77],
    ] as const) {
      const expected = data.subarray(offset, offset + length);
      expect(Buffer.from(await tahoe.read(index, 5, offset, length)).equals(expected)).toBe(true);
    }
    expect(await tahoe.read(index, 5, 300_000, 10)).toHaveLength(0);
    expect(Buffer.from(await tahoe.readAll(index, 5)).equals(data)).toBe(true);
    expect((await tahoe.allocate(index, given)).alreadyHave).toEqual(new Set([5]));
    await tahoe.abort(index, 0, uploadSecret);
    await tahoe.renewLease(index, leases);
    await tahoe.reportCorruption(index, 5, 'a test, nothing is wrong');
  });

  it('tells a share whose container is damaged from a node that fails', async () => {
    const [damaged, sound] = [freshIndex(), freshIndex()];
    const data = randomBytes(1000);
    for (const index of [damaged, sound]) {
      await tahoe.allocate(index, { shareNumbers: [3], allocatedBytes: data.length, uploadSecret, ...leases });
      await tahoe.write(index, 3, 0, data, uploadSecret);
    }
    const { storageFolder } = grid.nodes[0] as { storageFolder: string };
    const file = await open(join(storageFolder, 'shares', damaged.slice(0, 2), damaged, '3'), 'r+');
    await file.write(new Uint8Array(64), 0, 64, 0);
    await file.close();
    for (const asked of [
      () => tahoe.listShares(damaged),
      () => tahoe.read(damaged, 3, 0, 10),
      () => tahoe.readAll(damaged, 3),
    ])
      await expect(asked()).rejects.toMatchObject({ code: 'share-malformed', details: { status: 500 } });
    expect(Buffer.from(await tahoe.readAll(sound, 3)).equals(data)).toBe(true);
  });

  it('tells its refusals apart', async () => {
    const index = freshIndex();
    const data = randomBytes(100);
    await tahoe.allocate(index, { shareNumbers: [1], allocatedBytes: 100, uploadSecret, ...leases });
    await tahoe.write(index, 1, 0, data.subarray(0, 50), uploadSecret);
    await expect(tahoe.write(index, 1, 50, data.subarray(50), randomBytes(20))).rejects.toMatchObject({
      code: 'gbs-unauthorized',
    });
    await expect(tahoe.write(index, 1, 40, randomBytes(20), uploadSecret)).rejects.toMatchObject({
      details: { status: 409, reason: 'conflict' },
    });
    await expect(tahoe.write(index, 2, 0, data, uploadSecret)).rejects.toMatchObject({
      details: { status: 404, reason: 'not-found' },
    });
    await tahoe.write(index, 1, 50, data.subarray(50), uploadSecret);
    await expect(tahoe.abort(index, 1, uploadSecret)).rejects.toMatchObject({
      details: { status: 405, reason: 'complete' },
    });
    await expect(tahoe.read(index, 9, 0, 10)).rejects.toMatchObject({ details: { status: 404 } });
    await expect(tahoe.renewLease(freshIndex(), leases)).rejects.toMatchObject({ details: { status: 404 } });
    await expect(tahoe.reportCorruption(index, 9, 'x')).rejects.toMatchObject({ details: { status: 404 } });
    const { peerId, host, port } = tahoe.nurl;
    await expect(client.peer(new Nurl(peerId, host, port, 'wrong')).version()).rejects.toMatchObject({
      code: 'gbs-unauthorized',
    });
    const otherPin = new Nurl(createPeerKey().peerId, host, port, tahoe.nurl.revealSwissnum());
    await expect(client.peer(otherPin).version()).rejects.toMatchObject({ code: 'gbs-pin-mismatch' });
  });
});

describe('the Tahoe client on our servers', () => {
  const data = randomBytes(2_500_000);
  let cap: string;
  let index: StorageIndex;

  beforeAll(async () => {
    cap = await grid.upload(data);
    index = parseManifest(cap).storageIndex;
  }, 60_000);

  it('uploads a share to each, reads the file back and verifies it', async () => {
    expect(servers.map((server) => server.stats().sharesStored)).toEqual(servers.map(() => 1));
    expect(Buffer.from(await grid.download(cap)).equals(data)).toBe(true);
    const { results } = await grid.check(cap, { verify: true });
    expect(results).toMatchObject({ healthy: true, 'count-shares-good': 4, 'count-corrupt-shares': 0 });
    expect(failures).toEqual([]);
  });

  it('gives leases whose secrets we can compute from its client secret', async () => {
    const server = servers[0] as StorageServer;
    const [number] = await client.peer(server.nurl).listShares(index);
    const file = await readFile(join(shareFolders[0] as string, 'shares', index.slice(0, 2), index, String(number)));
    expect(file.readUInt32BE(0)).toBe(2);
    expect(file.readUInt32BE(8)).toBe(1);
    const secretText = (await readFile(join(grid.clientFolder, 'private/secret'), 'utf8')).trim();
    const secrets = leaseSecretsFor(decodeBase32(secretText) as Uint8Array, index, leaseSeedOfPeer(server.nurl.peerId));
    const lease = file.subarray(file.length - 72);
    expect(lease.subarray(4, 36).equals(hashedSecret(secrets.renewSecret))).toBe(true);
    expect(lease.subarray(36, 68).equals(hashedSecret(secrets.cancelSecret))).toBe(true);
  });

  it('sees the shares that our client copies between peers', async () => {
    const [first, second] = servers.map((server) => client.peer(server.nurl)) as [PeerClient, PeerClient];
    const [number] = (await first.listShares(index)) as Set<number>;
    const share = await first.readAll(index, number as number);
    // Ours to the real node and to a second peer of ours: the checker counts them as further places of the same shares.
    for (const target of [tahoe, second]) {
      const given = { shareNumbers: [number as number], allocatedBytes: share.length, uploadSecret, ...leases };
      expect((await target.allocate(index, given)).allocated).toEqual(new Set([number]));
      expect((await target.write(index, number as number, 0, share, uploadSecret)).isComplete).toBe(true);
    }
    const after = await grid.check(cap, { verify: true });
    expect(after.results).toMatchObject({ healthy: true, 'count-shares-good': 4, 'count-corrupt-shares': 0 });
    expect(after.results.sharemap[String(number)]).toHaveLength(3);
  });
});
