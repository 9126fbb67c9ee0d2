/** For tests: a storage server on a folder of its own, and its client. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, type Dispatcher, request } from 'undici';
import { systemClock } from '#mesh/clock.ts';
import { createPeerIdentity, type PeerIdentity } from '../identity/key-folder.ts';
import { authorizationValue } from './authorization.ts';
import { createStorageClient, type PeerClient, type StorageClient } from './client.ts';
import { createStorageServer, type StorageServer, type StorageServerOptions } from './server.ts';
import { type StorageEvent } from './storage-event.ts';

export const swissnum = 'wnmnddcikb6xdffdtyckcq2yhdl3yrxh';

export interface StartedPeer {
  readonly folder: string;
  readonly server: StorageServer;
  readonly client: StorageClient;
  readonly peer: PeerClient;
  readonly events: StorageEvent[];
  readonly failures: unknown[];
  /** A request as any HTTP client could make it; the swissnum is added unless headers name an authorization. */
  raw(
    method: Dispatcher.HttpMethod,
    path: string,
    options?: RawOptions,
  ): Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>;
  /** The same folder and identity in a new server. */
  restart(): Promise<StartedPeer>;
  stop(): Promise<void>;
}

export interface RawOptions {
  readonly headers?: Record<string, string | string[]>;
  readonly body?: Uint8Array;
}

export async function startPeer(given: Partial<StorageServerOptions> = {}): Promise<StartedPeer> {
  const folder = given.shareFolder ?? (await mkdtemp(join(tmpdir(), 'meshward-gbs-')));
  return start(folder, given.identity ?? (await createPeerIdentity()), given);
}

async function start(
  folder: string,
  identity: PeerIdentity,
  given: Partial<StorageServerOptions>,
): Promise<StartedPeer> {
  const events: StorageEvent[] = [];
  const failures: unknown[] = [];
  const server = await createStorageServer({
    identity,
    swissnum,
    onChange: (event) => events.push(event),
    onFailure: (error) => failures.push(error),
    ...given,
    shareFolder: folder,
  });
  const client = createStorageClient();
  const agent = new Agent({ connect: { rejectUnauthorized: false } });
  return {
    folder,
    server,
    client,
    peer: client.peer(server.nurl),
    events,
    failures,
    async raw(method, path, { headers = {}, body } = {}) {
      const response = await request(`https://127.0.0.1:${server.port}${path}`, {
        dispatcher: agent,
        method,
        headers: { authorization: authorizationValue(swissnum), ...headers },
        body: body ?? null,
      });
      return {
        status: response.statusCode,
        headers: response.headers,
        body: Buffer.from(await response.body.arrayBuffer()),
      };
    },
    async restart() {
      await Promise.all([client.close(), agent.destroy()]);
      await server.close(0);
      return start(folder, identity, given);
    },
    async stop() {
      await Promise.all([client.close(), agent.destroy()]);
      await server.close(0);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Waits, on the real clock, until `isSo` holds. The test's own time limit ends it. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await new Promise((resolve) => {
      systemClock.after(5, () => resolve(undefined));
    });
  }
}
