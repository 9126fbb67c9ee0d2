import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile as readFileOfDisk, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PeerId } from '#mesh/peer-id.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { shareError } from '#tahoe/share/share-errors.ts';
import { proveFile } from '../proofs/prove.ts';
import { UploadBuffers } from '../repair/upload-buffers.ts';
import { type FakeFile, type FakeMesh, fakeMesh, storeFile } from '../testing/fake-mesh.ts';
import type { FakePeer } from '../testing/fake-peer.ts';
import { getFile } from './get.ts';
import type { FileReading } from './open-file.ts';
import { type PutTools, putFile } from './put.ts';

const coding = { k: 3, n: 10 };
const policy = defaultPolicy(coding);
const { signal } = new AbortController();
let mesh: FakeMesh;
let folder: string;

beforeEach(async () => {
  mesh = await fakeMesh(12);
  folder = await mkdtemp(join(tmpdir(), 'meshward-get-'));
});

afterEach(() => rm(folder, { recursive: true }));

function reading(): FileReading {
  return {
    transfer: mesh.tools.mesh.transfer,
    peers: () => mesh.peers.map((peer) => peer.peerId),
    clock: mesh.clock,
    random: mesh.random,
  };
}

function putTools(): PutTools {
  const { transfer } = mesh.tools.mesh;
  const { random, randomBytes, leaseSecret } = mesh.tools.runtime;
  return { transfer, field: () => mesh.peerView.writable(), random, randomBytes, leaseSecret };
}

function peerAt(at: number): FakePeer {
  return mesh.peers[at] as FakePeer;
}

async function stored(plaintext: Uint8Array) {
  const result = await putFile({ sizeBytes: plaintext.length, plaintext: [plaintext], policy, signal }, putTools());
  if (result.kind !== 'stored') throw new Error('it was to be stored');
  return result;
}

describe('an upload and its download', () => {
  it('spreads the shares, one a peer and evenly over zones, and gives the file back', async () => {
    const plaintext = Buffer.from('a story that is longer than fifty-five bytes, '.repeat(9_000));
    const result = await stored(plaintext);
    expect(result.placements).toHaveLength(10);
    expect(new Set(result.placements.map((share) => share.peerId)).size).toBe(10);
    const zones = result.placements.map((share) => mesh.peerView.fact(share.peerId)?.domains['zone']);
    for (const zone of ['z0', 'z1', 'z2'])
      expect(zones.filter((each) => each === zone).length).toBeGreaterThanOrEqual(3);
    for (const peer of mesh.peers.slice(0, 6)) peer.down = true;
    const path = join(folder, 'story');
    const got = await getFile(result.readCap, path, reading(), signal);
    expect(got).toMatchObject({ sizeBytes: plaintext.length });
    expect(got.shares).toHaveLength(3);
    expect(Buffer.compare(await readFileOfDisk(path), plaintext)).toBe(0);
    expect(await readdir(folder)).toEqual(['story']);
  });

  it('keeps a tiny file in its cap, and sends nothing', async () => {
    const plaintext = Buffer.from('tiny');
    const result = await putFile({ sizeBytes: 4, plaintext: [plaintext], policy, signal }, putTools());
    expect(result).toEqual({ kind: 'literal', cap: { kind: 'literal', data: new Uint8Array(plaintext) } });
    expect(mesh.peers.every((peer) => peer.calls.allocate === 0)).toBe(true);
    if (result.kind === 'literal') await getFile(result.cap, join(folder, 'tiny'), reading(), signal);
    expect(await readFileOfDisk(join(folder, 'tiny'), 'utf8')).toBe('tiny');
  });

  it('places elsewhere what a full or dying peer does not take', async () => {
    peerAt(0).freeBytes = 5;
    peerAt(1).writesLeft = 0;
    const result = await stored(new Uint8Array(5_000).fill(3));
    expect(result.placements).toHaveLength(10);
    expect(result.unplaced).toEqual([]);
  });

  it('does so where shares go whole, and gives its memory back', async () => {
    for (const peer of mesh.peers) peer.wholeBytes = 1_000_000;
    peerAt(0).freeBytes = 5;
    peerAt(1).writesLeft = 0;
    const uploadBuffers = new UploadBuffers(1);
    const plaintexts = [3, 4, 5].map((value) => new Uint8Array(5_000).fill(value));
    const results = await Promise.all(
      plaintexts.map((plaintext) =>
        putFile(
          { sizeBytes: plaintext.length, plaintext: [plaintext], policy, signal },
          { ...putTools(), uploadBuffers },
        ),
      ),
    );
    for (const [at, result] of results.entries()) {
      if (result.kind !== 'stored') throw new Error('it was to be stored');
      expect([result.placements.length, result.unplaced.length]).toEqual([10, 0]);
      await getFile(result.readCap, join(folder, 'got'), reading(), signal);
      expect(Buffer.compare(await readFileOfDisk(join(folder, 'got')), plaintexts[at] as Uint8Array)).toBe(0);
    }
    expect(peerAt(0).shares.size + peerAt(1).shares.size).toBe(0);
    expect([uploadBuffers.takenBytes, uploadBuffers.waiting]).toEqual([0, 0]);
  });

  it('gives memory back where it fails', async () => {
    for (const peer of mesh.peers) peer.wholeBytes = 1_000_000;
    for (const peer of mesh.peers.slice(0, 8)) await mesh.setState(peer, 'down');
    const uploadBuffers = new UploadBuffers(1);
    const put = (plaintext: Uint8Array, happy: number) =>
      putFile({ sizeBytes: 5_000, plaintext: [plaintext], policy, happy, signal }, { ...putTools(), uploadBuffers });
    await expect(put(new Uint8Array(5_000), 5)).rejects.toMatchObject({ code: 'repair-no-target' });
    await expect(put(new Uint8Array(4_000), 4)).rejects.toMatchObject({ code: 'bad-input' });
    expect(uploadBuffers.takenBytes).toBe(0);
    expect(mesh.peers.every((peer) => peer.shares.size === 0)).toBe(true);
  });

  it('goes on from other shares where one is bad and a peer dies amid the file', async () => {
    const plaintext = Buffer.from('amid the file '.repeat(250_000));
    const { readCap, placements } = await stored(plaintext);
    const holderOf = (number: number): FakePeer =>
      mesh.peers.find(({ peerId }) => peerId === placements[number]?.peerId) as FakePeer;
    // Two reads open a share, and the first is asked for the hashes of the ciphertext; then comes one for each window.
    holderOf(0).readsLeft = 4;
    for (const share of holderOf(1).shares.values()) share[900_000] = (share[900_000] as number) ^ 1;
    const by = { ...reading(), known: placements, windowBytes: 600_000 };
    const got = await getFile(readCap, join(folder, 'amid'), by, signal);
    expect(got.shares).toEqual(expect.arrayContaining([0, 1, 2]));
    expect(got.shares).toHaveLength(5);
    expect(holderOf(1).advisories).toMatchObject([{ shareNumber: 1 }]);
    expect(Buffer.compare(await readFileOfDisk(join(folder, 'amid')), plaintext)).toBe(0);
  });

  it('fails clearly below the fewest wanted, and leaves no upload behind', async () => {
    for (const peer of mesh.peers.slice(0, 8)) await mesh.setState(peer, 'down');
    const put = putFile({ sizeBytes: 5_000, plaintext: [new Uint8Array(5_000)], policy, happy: 5, signal }, putTools());
    await expect(put).rejects.toMatchObject({ code: 'repair-no-target', details: { placed: 4, happy: 5 } });
    expect(mesh.peers.every((peer) => peer.uploads.size === 0 && peer.shares.size === 0)).toBe(true);
    const fewer = await putFile({ sizeBytes: 5_000, plaintext: [new Uint8Array(5_000)], policy, signal }, putTools());
    expect(fewer.kind === 'stored' && [fewer.placements.length, fewer.unplaced.length]).toEqual([4, 6]);
  });

  it('refuses a file of another size than was given, and takes its uploads back', async () => {
    const put = putFile({ sizeBytes: 5_000, plaintext: [new Uint8Array(4_000)], policy, signal }, putTools());
    await expect(put).rejects.toMatchObject({ code: 'bad-input' });
    expect(mesh.peers.every((peer) => peer.uploads.size === 0 && peer.shares.size === 0)).toBe(true);
  });

  it('a download that fails leaves what was there before, and nothing else', async () => {
    const path = join(folder, 'kept');
    await writeFile(path, 'before');
    const { readCap } = await stored(new Uint8Array(5_000).fill(9));
    for (const peer of mesh.peers) for (const share of peer.shares.values()) share[60] = (share[60] as number) ^ 1;
    await expect(getFile(readCap, path, reading(), signal)).rejects.toMatchObject({ code: 'not-enough-shares' });
    expect(await readFileOfDisk(path, 'utf8')).toBe('before');
    expect(await readdir(folder)).toEqual(['kept']);
  });
});

describe('what is known of where shares lie', () => {
  const plaintext = Buffer.from('known and got, '.repeat(9_000));
  const path = (): string => join(folder, 'known');
  const listed = (): number => mesh.peers.reduce((sum, peer) => sum + peer.calls.list, 0);
  const read = (): number => mesh.peers.reduce((sum, peer) => sum + peer.calls.read, 0);

  it('spares all asking: each share is read once, those first that are the data itself', async () => {
    const { readCap, verifyCap, placements } = await stored(plaintext);
    const by = { ...reading(), known: placements };
    const got = await getFile(readCap, path(), by, signal);
    expect(got.shares).toEqual([0, 1, 2]);
    expect(await proveFile({ id: 'a', cap: verifyCap, signal }, by)).toMatchObject({
      outcome: 'proven',
      sharesLocated: 10,
      unreachable: 0,
    });
    expect([listed(), read()]).toEqual([0, 6]);
    expect(Buffer.compare(await readFileOfDisk(path()), plaintext)).toBe(0);
  });

  it('is not all there is: where it does not give the file back, every peer is asked', async () => {
    const { readCap, placements } = await stored(plaintext);
    const [first, second, ...others] = placements;
    const known = [first, second].map((share) => ({ shareNumber: 9, peerId: share?.peerId as PeerId }));
    for (const { peerId } of others.slice(0, 4)) for (const peer of mesh.peers) peer.down ||= peer.peerId === peerId;
    const got = await getFile(readCap, path(), { ...reading(), known }, signal);
    expect(got.shares).toHaveLength(3);
    expect(listed()).toBe(12);
    expect(Buffer.compare(await readFileOfDisk(path()), plaintext)).toBe(0);
  });

  it('is little where nobody has told: a download asks until it has enough, a proof asks everybody', async () => {
    const { readCap, verifyCap } = await stored(plaintext);
    await getFile(readCap, path(), reading(), signal);
    // Four are wanted, and two of the twelve peers hold nothing.
    expect(listed()).toBeLessThanOrEqual(4 + 3 + 2);
    const before = listed();
    await proveFile({ id: 'a', cap: verifyCap, signal }, reading());
    expect(listed() - before).toBeGreaterThanOrEqual(10);
  });
});

describe('a proof', () => {
  let file: FakeFile;
  beforeEach(async () => {
    file = await storeFile(mesh, coding, 400_000, 4, 30 * 1024);
  });

  it('recovers every byte from k shares drawn at random', async () => {
    const drawn = new Set<string>();
    for (let i = 0; i < 6; i++) {
      const proof = await proveFile(
        { id: `proof-${i}`, cap: { kind: 'verify', manifest: file.manifest }, signal },
        reading(),
      );
      expect(proof).toMatchObject({
        outcome: 'proven',
        bytesProven: 400_000,
        errorCode: '',
        plaintextSha256: null,
        sharesLocated: 10,
      });
      expect(proof.shares).toHaveLength(3);
      drawn.add(proof.shares.map((share) => share.shareNumber).join());
    }
    expect(drawn.size).toBeGreaterThan(1);
  });

  it('with a read cap proves the plaintext, and tells another one from it', async () => {
    const plaintextSha256 = createHash('sha256').update(file.plaintext).digest();
    const right = await proveFile({ id: 'a', cap: file.cap, plaintextSha256, signal }, reading());
    expect(right).toMatchObject({ outcome: 'proven', errorCode: '' });
    expect(Buffer.compare(right.plaintextSha256 as Uint8Array, plaintextSha256)).toBe(0);
    const wrong = await proveFile({ id: 'b', cap: file.cap, plaintextSha256: new Uint8Array(32), signal }, reading());
    expect(wrong).toMatchObject({ outcome: 'failed', errorCode: 'promise-broken' });
  });

  it('fails with the reason where too few good shares are left, and names the corrupt ones', async () => {
    for (const peer of mesh.peers.slice(0, 6)) peer.down = true;
    for (const peer of mesh.peers.slice(6, 9))
      for (const share of peer.shares.values()) share[120] = (share[120] as number) ^ 1;
    const proof = await proveFile({ id: 'c', cap: { kind: 'verify', manifest: file.manifest }, signal }, reading());
    expect(proof).toMatchObject({ outcome: 'failed', errorCode: 'not-enough-shares' });
    expect(proof.corrupt.length).toBeGreaterThan(0);
    expect(proof.errorMessage).toMatch(/share/);
  });

  it('names the peers that hold a damaged share and cannot say which', async () => {
    const manifest = file.manifest;
    for (const peer of mesh.peers)
      peer.before = () => {
        throw shareError('share-malformed', 'the container is damaged');
      };
    const proof = await proveFile({ id: 'e', cap: { kind: 'verify', manifest }, signal }, reading());
    expect(proof).toMatchObject({
      outcome: 'failed',
      sharesLocated: 0,
      unreachable: 0,
      errorCode: 'not-enough-shares',
    });
    expect(new Set(proof.damaged)).toEqual(new Set(mesh.peers.map(({ peerId }) => peerId)));
    expect(proof.errorMessage).toContain('damaged');
  });

  it('says when it was called off', async () => {
    const stop = new AbortController();
    peerAt(0).before = () => stop.abort(new Error('enough'));
    expect(await proveFile({ id: 'd', cap: file.cap, signal: stop.signal }, reading())).toMatchObject({
      outcome: 'cancelled',
    });
  });
});
