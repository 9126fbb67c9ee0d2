/** The client against peers that are slow, broken, hostile or somebody else. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { inspect } from 'node:util';
import { encode } from 'cborg';
import { afterEach, describe, expect, it } from 'vitest';
import { parseStorageIndex } from '#mesh/storage-index.ts';
import { createPeerIdentity } from '../identity/key-folder.ts';
import { Nurl } from '../identity/nurl.ts';
import { createPeerKey, privateKeyPem } from '../identity/peer-key.ts';
import { createStorageClient, type PeerClient, type StorageClient, type StorageClientOptions } from './client.ts';
import { cborType, encodeShareNumbers, shareType } from './message.ts';
import { startPeer, swissnum, until } from './started-peer.ts';

const index = parseStorageIndex('aaaqeayeaudaocajbifqydiob4');
const secret = new Uint8Array(32).fill(5);
const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

interface Impostor {
  readonly peer: PeerClient;
  readonly client: StorageClient;
  readonly nurl: Nurl;
  readonly requests: string[];
  readonly plainBytes: () => number;
  readonly handshakes: () => { full: number; resumed: number };
}

/** A TLS server with a key of its own that answers as `answer` likes. */
async function impostor(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  { pin, ...options }: StorageClientOptions & { pin?: Nurl['peerId'] } = {},
): Promise<Impostor> {
  const identity = await createPeerIdentity();
  const requests: string[] = [];
  let plainBytes = 0;
  const handshakes = { full: 0, resumed: 0 };
  const server = createServer({ key: privateKeyPem(identity), cert: identity.certificatePem }, (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  server.on('secureConnection', (socket) => {
    handshakes[socket.isSessionReused() ? 'resumed' : 'full']++;
    socket.on('data', (bytes: Buffer) => {
      plainBytes += bytes.length;
    });
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const nurl = new Nurl(pin ?? identity.peerId, '127.0.0.1', (server.address() as AddressInfo).port, swissnum);
  const client = createStorageClient(options);
  cleanUps.push(
    () => client.close(),
    () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  );
  return {
    peer: client.peer(nurl),
    client,
    nurl,
    requests,
    plainBytes: () => plainBytes,
    handshakes: () => handshakes,
  };
}

describe('a peer that answers 500', () => {
  const listing = (response: ServerResponse): void => {
    response.setHeader('content-type', cborType);
    response.end(encodeShareNumbers(new Set()));
  };
  const failing = (response: ServerResponse): void => {
    response.statusCode = 500;
    response.end('<html>Processing Failed</html>');
  };
  const asks: readonly ((peer: PeerClient) => Promise<unknown>)[] = [
    (peer) => peer.listShares(index),
    (peer) => peer.read(index, 3, 0, 10),
    (peer) => peer.readAll(index, 3),
  ];

  it('to all that is asked of one file holds a damaged share of it', async () => {
    const { peer } = await impostor((request, response) =>
      request.url?.includes(index) === true ? failing(response) : listing(response),
    );
    for (const ask of asks) await expect(ask(peer)).rejects.toMatchObject({ code: 'share-malformed' });
  });

  it('to whatever is asked is one that fails', async () => {
    const { peer } = await impostor((_request, response) => failing(response));
    for (const ask of asks)
      await expect(ask(peer)).rejects.toMatchObject({ code: 'gbs-refused', details: { reason: 'failed' } });
  });

  it('to a read alone has not said that the share is damaged', async () => {
    const { peer } = await impostor((request, response) =>
      request.url?.endsWith('/shares') === true ? listing(response) : failing(response),
    );
    await expect(peer.read(index, 3, 0, 10)).rejects.toMatchObject({ code: 'gbs-refused' });
  });
});

describe('the pin', () => {
  it('is checked before a single byte is sent', async () => {
    const other = createPeerKey().peerId;
    const { peer, requests, plainBytes } = await impostor((_request, response) => response.end(), { pin: other });
    for (let attempt = 0; attempt < 3; attempt++) {
      const failed = peer.allocate(index, {
        shareNumbers: [1],
        allocatedBytes: 1,
        renewSecret: secret,
        cancelSecret: secret,
        uploadSecret: secret,
      });
      await expect(failed).rejects.toMatchObject({ code: 'gbs-pin-mismatch', retryable: false });
    }
    expect(requests).toEqual([]);
    expect(plainBytes()).toBe(0);
  });

  it('holds for resumed sessions as well', async () => {
    const { peer, client, nurl, handshakes } = await impostor((_request, response) => {
      response.writeHead(200, { 'content-type': cborType, connection: 'close' }).end(encodeShareNumbers([1]));
    });
    for (let i = 0; i < 4; i++) await peer.listShares(index);
    expect(handshakes().full).toBe(1);
    expect(handshakes().resumed).toBe(3);
    // The same address under another pin gets nothing out of the session that is known.
    const wrong = client.peer(new Nurl(createPeerKey().peerId, nurl.host, nurl.port, swissnum));
    await expect(wrong.listShares(index)).rejects.toMatchObject({ code: 'gbs-pin-mismatch' });
  });

  it('protects against another machine that takes over the address', async () => {
    const first = await startPeer();
    const { port } = first.server;
    await first.peer.version();
    await first.server.close(0);
    const usurper = await startPeer({ port });
    cleanUps.push(
      () => usurper.stop(),
      () => first.stop(),
    );
    await expect(first.peer.version()).rejects.toMatchObject({ code: 'gbs-pin-mismatch' });
    expect(usurper.server.stats().requests).toBe(0);
  });
});

describe('secrets', () => {
  it('are in no URL and in no error', async () => {
    const { peer, requests } = await impostor((_request, response) => response.writeHead(401).end());
    const uploadSecret = Buffer.from('my-upload-secret');
    const failed = await peer.write(index, 1, 0, new Uint8Array(1), uploadSecret).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'gbs-unauthorized', retryable: false });
    const shown = inspect(failed, { depth: 9 }) + requests.join();
    for (const text of [
      swissnum,
      Buffer.from(swissnum).toString('base64'),
      'my-upload-secret',
      uploadSecret.toString('base64'),
    ])
      expect(shown).not.toContain(text);
  });
});

describe('hostile answers', () => {
  const range =
    (value: string, body: Uint8Array | string, more: Record<string, string> = {}) =>
    (_request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(206, { 'content-type': shareType, 'content-range': value, ...more });
      response.end(body);
    };

  it.each([
    ['a longer range', range('bytes 0-199/*', new Uint8Array(200))],
    ['another range', range('bytes 5-14/*', new Uint8Array(10))],
    ['no range', range('', new Uint8Array(10))],
    ['fewer bytes than its range says', range('bytes 0-9/*', new Uint8Array(5))],
    ['a declared length beyond what was asked for', range('bytes 0-9/*', '', { 'content-length': '99999999' })],
    [
      'the whole share',
      (_request: IncomingMessage, response: ServerResponse) => response.writeHead(200).end(new Uint8Array(10)),
    ],
    [
      'a redirection',
      (_request: IncomingMessage, response: ServerResponse) => response.writeHead(302, { location: '/x' }).end(),
    ],
    ['no HTTP', (request: IncomingMessage) => request.socket.end('rubbish\r\n\r\n')],
  ])('%s for a read of ten bytes is a protocol error', async (_name, answer) => {
    const { peer } = await impostor((request, response) => {
      answer(request, response);
    });
    await expect(peer.read(index, 1, 0, 10)).rejects.toMatchObject({ code: 'gbs-protocol', retryable: false });
  });

  it('an endless body is cut off, for a read, a list and a refusal', async () => {
    for (const status of [206, 200, 500]) {
      const sent = { bytes: 0 };
      const { peer } = await impostor((_request, response) => {
        response.writeHead(status, { 'content-type': shareType, 'content-range': 'bytes 0-9/*' });
        const pour = (): void => {
          if (response.destroyed) return;
          sent.bytes += 65_536;
          response.write(new Uint8Array(65_536), () => setImmediate(pour));
        };
        pour();
      });
      const asked = status === 200 ? peer.listShares(index) : peer.read(index, 1, 0, 10);
      await expect(asked).rejects.toMatchObject({ code: 'gbs-protocol' });
      expect(sent.bytes).toBeLessThan(8 * 1024 * 1024);
    }
  });

  it.each([
    ['rubbish', Buffer.from('rubbish')],
    ['deep nesting', new Uint8Array(60_000).fill(0x81)],
    ['share numbers over 255', encode([1000])],
    ['another shape', encode({ shares: [1] })],
  ])('%s for a list is a protocol error', async (_name, body) => {
    const { peer } = await impostor((_request, response) =>
      response.writeHead(200, { 'content-type': cborType }).end(body),
    );
    await expect(peer.listShares(index)).rejects.toMatchObject({ code: 'gbs-protocol' });
  });

  it('headers without end are a protocol error', async () => {
    const { peer } = await impostor((request) =>
      request.socket.end(`HTTP/1.1 200 OK\r\n${'x-pad: 1234567890\r\n'.repeat(5000)}\r\n`),
    );
    await expect(peer.listShares(index)).rejects.toMatchObject({ code: 'gbs-protocol' });
  });

  it('text of a refusal is made safe to print', async () => {
    const { peer } = await impostor((_request, response) =>
      response.writeHead(400).end(encode({ error: `a\n\u001b[31mb${'c'.repeat(10_000)}` })),
    );
    const error = (await peer.listShares(index).catch((failed: unknown) => failed)) as Error;
    expect(error.message).not.toMatch(/[^\x20-\x7e]/);
    expect(error.message.length).toBeLessThan(500);
  });
});

describe('unreachable peers', () => {
  it('are told as such when nothing listens, nothing answers, and when the connection breaks', async () => {
    const silent = createTcpServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const client = createStorageClient({ limits: { connectTimeoutMs: 50 } });
    cleanUps.push(
      () => client.close(),
      () => new Promise((resolve) => silent.close(resolve)),
    );
    const unreachable = { code: 'gbs-unreachable', retryable: true };
    await expect(client.peer(new Nurl(createPeerKey().peerId, '127.0.0.1', port, 'x')).version()).rejects.toMatchObject(
      unreachable,
    );
    await expect(client.peer(new Nurl(createPeerKey().peerId, '127.0.0.1', 1, 'x')).version()).rejects.toMatchObject(
      unreachable,
    );
    const hasty = await impostor((request) => request.socket.destroy());
    await expect(hasty.peer.version()).rejects.toMatchObject(unreachable);
    const cut = await impostor((request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-9/*', 'content-length': '10' });
      response.write(new Uint8Array(3), () => request.socket.destroy());
    });
    await expect(cut.peer.read(index, 1, 0, 10)).rejects.toMatchObject(unreachable);
  });

  it('are given up after the time limit, also when they trickle', async () => {
    const { peer, client } = await impostor(
      (_request, response) => {
        response.writeHead(206, { 'content-range': 'bytes 0-99999/*' });
        const timer = setInterval(() => response.write('.'), 5);
        response.once('close', () => clearInterval(timer));
      },
      { limits: { requestTimeoutMs: 50, minimumBytesPerSecond: 10_000_000 } },
    );
    await expect(peer.read(index, 1, 0, 100_000)).rejects.toMatchObject({ code: 'gbs-unreachable' });
    await until(() => client.stats().runningRequests === 0);
  });
});

describe('requests', () => {
  it('survive an idle connection that the peer closed', async () => {
    let closeNow: (() => void) | undefined;
    const { peer } = await impostor((request, response) => {
      closeNow = () => request.socket.destroy();
      response.writeHead(200, { 'content-type': cborType }).end(encodeShareNumbers([3]));
    });
    for (let i = 0; i < 5; i++) {
      expect(await peer.listShares(index)).toEqual(new Set([3]));
      closeNow?.();
    }
  });

  it('that completed a share before the answer was lost count as complete', async () => {
    let patches = 0;
    const { peer } = await impostor((request, response) => {
      if (request.method === 'PATCH') {
        patches++;
        if (patches === 1) request.resume().once('end', () => request.socket.destroy());
        else response.writeHead(404).end();
      } else {
        response.writeHead(200, { 'content-type': cborType }).end(encodeShareNumbers([7]));
      }
    });
    expect(await peer.write(index, 7, 0, new Uint8Array(10), secret)).toEqual({ isComplete: true, required: [] });
    expect(patches).toBe(2);
    await expect(peer.write(index, 7, 0, new Uint8Array(10), secret)).rejects.toMatchObject({
      details: { status: 404 },
    });
  });

  it('refused before they were sent whole leave no connection behind that waits for the rest', async () => {
    const { peer, requests } = await impostor((request, response) => {
      if (requests.length > 1) request.resume();
      response.writeHead(requests.length > 1 ? 201 : 507).end();
    });
    const bytes = new Uint8Array(8 * 1024 * 1024);
    const share = { bytes, renewSecret: secret, cancelSecret: secret, uploadSecret: secret };
    await expect(peer.putWhole(index, 1, share)).rejects.toMatchObject({ details: { status: 507 } });
    expect(await peer.putWhole(index, 1, { ...share, bytes: bytes.subarray(0, 100) })).toBe('stored');
    expect(await peer.putWhole(index, 1, share)).toBe('stored');
  });

  it('follow one another on a connection, whatever their bodies', async () => {
    const { peer, handshakes } = await impostor((request, response) => {
      request.resume().once('end', () => response.writeHead(201).end());
    });
    for (const length of [0, 1, 16_384, 16_385, 65_536, 65_537, 3_000_000, 1]) {
      const share = { bytes: new Uint8Array(length), renewSecret: secret, cancelSecret: secret, uploadSecret: secret };
      expect(await peer.putWhole(index, 1, share)).toBe('stored');
    }
    expect(handshakes()).toEqual({ full: 1, resumed: 0 });
  });

  it('end at once when they are aborted, while running and while waiting', async () => {
    const { peer, client } = await impostor(() => undefined, { limits: { maxConnectionsPerPeer: 1 } });
    const abort = new AbortController();
    const reason = new Error('not needed any more');
    const running = peer.listShares(index, { signal: abort.signal });
    const waiting = peer.listShares(index, { signal: abort.signal });
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(peer.listShares(index, { signal: abort.signal })).rejects.toBe(reason);
    await until(() => client.stats().runningRequests === 0);
  });

  it('are bounded in number, running and waiting', async () => {
    const answers: ServerResponse[] = [];
    const { peer } = await impostor((_request, response) => void answers.push(response), {
      limits: { maxConnectionsPerPeer: 2, maxWaitingPerPeer: 3 },
    });
    const asked = Array.from({ length: 5 }, () => peer.listShares(index));
    await expect(peer.listShares(index)).rejects.toMatchObject({ code: 'service-busy', retryable: true });
    await until(() => answers.length === 2);
    let answered = 0;
    await until(() => {
      for (const response of answers.splice(0)) {
        expect(answers.length).toBeLessThanOrEqual(2);
        answered++;
        response.writeHead(200, { 'content-type': cborType }).end(encodeShareNumbers([]));
      }
      return answered === 5;
    });
    expect(await Promise.all(asked)).toHaveLength(5);
  });

  it('to many peers keep connections to the most recent of them only', async () => {
    const started = await startPeer();
    cleanUps.push(() => started.stop());
    const client = createStorageClient({ limits: { maxPeers: 3 } });
    cleanUps.push(() => client.close());
    // Different swissnums count as different peers; the wrong ones are refused, over a connection each.
    for (let i = 0; i < 10; i++) {
      const nurl = new Nurl(started.server.nurl.peerId, '127.0.0.1', started.server.port, `wrong${i}`);
      await expect(client.peer(nurl).version()).rejects.toMatchObject({ code: 'gbs-unauthorized' });
    }
    expect(client.stats().peers).toBe(3);
    await until(() => started.server.stats().openConnections <= 3);
  });

  it('fail once the client is closed', async () => {
    const { peer, client, requests } = await impostor(() => undefined);
    const running = peer.version();
    const failed = expect(running).rejects.toMatchObject({ code: 'gbs-unreachable' });
    await until(() => client.stats().runningRequests === 1);
    await client.close();
    await failed;
    await expect(peer.version()).rejects.toMatchObject({ code: 'cancelled' });
    expect(requests.length).toBeLessThanOrEqual(1);
  });

  it('of a share source read what is there', async () => {
    const started = await startPeer();
    cleanUps.push(() => started.stop());
    const data = Uint8Array.from({ length: 100 }, (_, i) => i);
    await started.peer.allocate(index, {
      shareNumbers: [1],
      allocatedBytes: 100,
      renewSecret: secret,
      cancelSecret: secret,
      uploadSecret: secret,
    });
    await started.peer.write(index, 1, 0, data, secret);
    const source = started.peer.shareSource(index, 1);
    expect(await source.read(90, 20)).toEqual(data.subarray(90));
    expect(await source.read(0, 0)).toHaveLength(0);
  });
});
