import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { parseStorageIndex } from '#mesh/storage-index.ts';
import { ManualClock, settle } from '#mesh/testing/manual-clock.ts';
import { createStorageClient, type StorageClient } from '#tahoe/gbs/client.ts';
import { cborType, encodeShareNumbers } from '#tahoe/gbs/message.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { Nurl, randomSwissnum } from '#tahoe/identity/nurl.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { shareError } from '#tahoe/share/share-errors.ts';
import { createBudget } from './budget.ts';
import { gbsPeerStorage } from './gbs-storage.ts';
import { createPeerContact, type PeerContact } from './peer-contact.ts';
import type { PeerStorage, RequestOptions } from './peer-storage.ts';
import { createTransfer, defaultTransferLimits, type WorkTransfer } from './transfer.ts';

const index = parseStorageIndex('aaaqeayeaudaocajbifqydiob4');
const peerId = Buffer.alloc(32, 1).toString('base64url') as PeerId;
let clock: ManualClock;
let contact: PeerContact;
beforeEach(() => {
  clock = new ManualClock();
  contact = createPeerContact({ clock });
});

function transferTo(storage: PeerStorage | undefined, signal = new AbortController().signal): WorkTransfer {
  return createTransfer({
    storageOf: () => storage,
    domainsOf: () => ({}),
    budget: createBudget({ bytesPerSecond: 0 }, clock),
    contact,
    limits: defaultTransferLimits,
  }).begin({ urgent: false, signal });
}

/** A storage whose one request is run as told. */
function listing(list: (options: RequestOptions) => Promise<ReadonlySet<number>>): PeerStorage {
  return { listShares: (_index: unknown, options: RequestOptions) => list(options) } as unknown as PeerStorage;
}

describe('a transfer to a real peer that answers slowly', () => {
  let server: Server;
  let client: StorageClient;
  let held: ServerResponse[];
  afterEach(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('does not blame the peer for what waits in our own queue', async () => {
    const identity = await createPeerIdentity();
    held = [];
    server = createServer({ key: privateKeyPem(identity), cert: identity.certificatePem }, (_request, response) => {
      held.push(response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const nurl = new Nurl(identity.peerId, '127.0.0.1', (server.address() as AddressInfo).port, randomSwissnum());
    client = createStorageClient({ clock });
    const transfer = transferTo(gbsPeerStorage(client.peer(nurl)));
    const answers = Array.from({ length: 12 }, () => transfer.listShares(peerId, index));
    const all = Promise.all(answers);
    // Four connections, each answer within its limit: the last four have waited for longer than the limit.
    for (let round = 0; round < 3; round++) {
      while (held.length < 4) await settle();
      await clock.advance(defaultTransferLimits.listTimeoutMs - 100);
      expect(held).toHaveLength(4);
      for (const response of held.splice(0))
        response.writeHead(200, { 'content-type': cborType }).end(encodeShareNumbers([1]));
      for (let turn = 0; turn < 50; turn++) await settle();
    }
    expect((await all).every((numbers) => numbers.has(1))).toBe(true);
    expect(contact.isAvoided(peerId)).toBe(false);
    expect(contact.inFlight(peerId)).toBe(0);
  });

  it('gives up a request that the peer itself does not answer in time', async () => {
    const identity = await createPeerIdentity();
    held = [];
    server = createServer({ key: privateKeyPem(identity), cert: identity.certificatePem }, (_request, response) => {
      held.push(response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const nurl = new Nurl(identity.peerId, '127.0.0.1', (server.address() as AddressInfo).port, randomSwissnum());
    client = createStorageClient({ clock });
    const answer = transferTo(gbsPeerStorage(client.peer(nurl))).listShares(peerId, index);
    const failed = expect(answer).rejects.toMatchObject({ code: 'gbs-unreachable', retryable: true });
    while (held.length < 1) await settle();
    await clock.advance(defaultTransferLimits.listTimeoutMs + 1);
    await failed;
    expect(contact.isAvoided(peerId)).toBe(true);
  });
});

describe('what a transfer remembers of a peer', () => {
  const failing = (error: unknown): PeerStorage =>
    listing(({ onStart }) => {
      onStart?.();
      return Promise.reject(error as Error);
    });
  const error = (code: 'gbs-refused' | 'service-busy' | 'gbs-unreachable' | 'gbs-protocol') =>
    new MeshwardError(code, code, { next: 'x' });

  it('is no failure where it refused, or where our own queue was full', async () => {
    for (const code of ['gbs-refused', 'service-busy'] as const) {
      await expect(transferTo(failing(error(code))).listShares(peerId, index)).rejects.toMatchObject({ code });
      expect(contact.isAvoided(peerId)).toBe(false);
    }
  });

  it('is no failure where the share is bad, and the peer said so', async () => {
    for (const code of ['share-corrupt', 'share-malformed'] as const) {
      const bad = shareError(code, 'the container is damaged');
      await expect(transferTo(failing(bad)).listShares(peerId, index)).rejects.toMatchObject({ code });
      expect(contact.isAvoided(peerId)).toBe(false);
    }
  });

  it('is a failure where it was silent or spoke nonsense', async () => {
    for (const code of ['gbs-unreachable', 'gbs-protocol'] as const) {
      contact = createPeerContact({ clock });
      await expect(transferTo(failing(error(code))).listShares(peerId, index)).rejects.toMatchObject({ code });
      expect(contact.isAvoided(peerId)).toBe(true);
    }
  });

  it('is nothing where the request never went to it', async () => {
    const storage = listing(() => Promise.reject(error('gbs-unreachable')));
    await expect(transferTo(storage).listShares(peerId, index)).rejects.toThrow('gbs-unreachable');
    expect(contact.isAvoided(peerId)).toBe(false);
  });

  it('is nothing where the work was called off', async () => {
    const abort = new AbortController();
    const storage = listing(async ({ onStart }) => {
      onStart?.();
      abort.abort(new Error('called off'));
      throw error('gbs-unreachable');
    });
    await expect(transferTo(storage, abort.signal).listShares(peerId, index)).rejects.toThrow();
    expect(contact.isAvoided(peerId)).toBe(false);
  });

  it('counts its speed without the time that the request waited', async () => {
    const slow = Buffer.alloc(32, 2).toString('base64url') as PeerId;
    const wait = (beforeMs: number, afterMs: number) =>
      listing(async ({ onStart }) => {
        clock.advanceSync(beforeMs);
        onStart?.();
        clock.advanceSync(afterMs);
        return new Set();
      });
    await transferTo(wait(60_000, 5)).listShares(peerId, index);
    await transferTo(wait(0, 1_000)).listShares(slow, index);
    expect(contact.rank(peerId)).toBeLessThan(contact.rank(slow));
  });
});

describe('a transfer', () => {
  it('refuses a peer that serves nothing, and reports and aborts without ever failing', async () => {
    const transfer = transferTo(undefined);
    await expect(transfer.listShares(peerId, index)).rejects.toMatchObject({ code: 'peer-unknown' });
    await transfer.abort(peerId, index, 0, new Uint8Array(32));
    await transfer.reportCorruption(peerId, index, 0, 'a block is bad');
  });

  it('counts what it read and wrote', async () => {
    const storage = {
      read: () => Promise.resolve(new Uint8Array(7)),
      write: () => Promise.resolve(true),
    } as unknown as PeerStorage;
    const transfer = transferTo(storage);
    await transfer.source(peerId, index, 0).read(0, 10);
    await transfer.write(peerId, index, {
      shareNumber: 0,
      offset: 0,
      bytes: new Uint8Array(3),
      uploadSecret: new Uint8Array(32),
    });
    expect([transfer.bytesRead, transfer.bytesWritten]).toEqual([7, 3]);
  });
});
