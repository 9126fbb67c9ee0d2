/** A real Tahoe-LAFS grid on loopback: storage nodes and one client, no introducer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeBase32 } from '#mesh/base32.ts';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { Nurl } from '#tahoe/identity/nurl.ts';
import { peerIdOfCertificate } from '#tahoe/identity/peer-key.ts';
import { installTahoe } from './install.ts';

export interface TahoeNode {
  readonly name: string;
  readonly nurl: Nurl;
  /** Its `storage/` folder: what holds `shares/`. */
  readonly storageFolder: string;
}

export interface TahoeGrid {
  readonly nodes: readonly TahoeNode[];
  /** The client's web API, for example `http://127.0.0.1:40001`. */
  readonly webUrl: string;
  readonly clientFolder: string;
  /** @returns the read cap. */
  upload(data: Uint8Array): Promise<string>;
  download(cap: string): Promise<Uint8Array>;
  /** The answer of `t=check` on a cap. */
  check(cap: string, options: { verify: boolean }): Promise<CheckResults>;
  /** Checks, and has the client repair what is missing. @returns whether it did. */
  repair(cap: string): Promise<boolean>;
  /** Of the client, and of the storage nodes. */
  readonly pids: { readonly client: number; readonly nodes: readonly number[] };
  /** Ends the processes and removes the folder. */
  stop(): Promise<void>;
}

export interface CheckResults {
  readonly summary: string;
  readonly results: {
    readonly healthy: boolean;
    readonly 'count-shares-good': number;
    readonly 'count-corrupt-shares': number;
    readonly 'list-corrupt-shares': readonly unknown[];
    /** Ids of the servers that hold each share, by share number. */
    readonly sharemap: Readonly<Record<string, readonly string[]>>;
  };
}

export interface TahoeGridOptions {
  readonly nodeCount: number;
  readonly needed: number;
  readonly happy: number;
  readonly total: number;
  /** Storage servers that are not of Tahoe and that its client shall use as well, by NURL. */
  readonly otherServers?: readonly Nurl[];
}

const startTimeoutMs = 60_000;

export async function startTahoeGrid(options: TahoeGridOptions): Promise<TahoeGrid> {
  const python = await installTahoe();
  const folder = await mkdtemp(join(tmpdir(), 'meshward-tahoe-'));
  const processes: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map(endProcess));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const ports = await freePorts(options.nodeCount + 1);
    const nodes: TahoeNode[] = [];
    const announcements: string[] = [];
    const names = Array.from({ length: options.nodeCount }, (_, i) => `node-${i + 1}`);
    await Promise.all(
      names.map(async (name, i) => {
        const port = ports[i] as number;
        const location = `tub.port = tcp:${port}:interface=127.0.0.1\ntub.location = tcp:127.0.0.1:${port}`;
        await writeNode(
          join(folder, name),
          `[node]\nnickname = ${name}\n${location}\n[client]\n[storage]\nenabled = true\n`,
        );
        processes.push(startNode(python, join(folder, name)));
      }),
    );
    for (const [i, name] of names.entries()) {
      const { node, announcement } = await nodeFacts(join(folder, name), name, ports[i] as number);
      nodes.push(node);
      announcements.push(announcement);
    }
    for (const nurl of options.otherServers ?? []) announcements.push(announcementOf(nurl));
    const webPort = ports[options.nodeCount] as number;
    const clientFolder = join(folder, 'client');
    const shares = `shares.needed = ${options.needed}\nshares.happy = ${options.happy}\nshares.total = ${options.total}`;
    await writeNode(
      clientFolder,
      `[node]\nnickname = client\ntub.port = disabled\ntub.location = disabled\nweb.port = tcp:${webPort}:interface=127.0.0.1\n` +
        `[client]\nforce_foolscap = False\n${shares}\n[storage]\nenabled = false\n`,
    );
    await writeFile(join(clientFolder, 'private/servers.yaml'), `storage:\n${announcements.join('')}`);
    processes.push(startNode(python, clientFolder));
    const webUrl = `http://127.0.0.1:${webPort}`;
    await eventually(`the client to reach ${announcements.length} servers`, async () => {
      const response = await fetch(`${webUrl}/?t=json`);
      const { servers } = (await response.json()) as { servers: { connection_status: string }[] };
      return servers.filter((server) => /^connected/i.test(server.connection_status)).length === announcements.length;
    });
    const [client = 0, ...ofNodes] = processes.map((child) => child.pid ?? 0).reverse();
    return { nodes, webUrl, clientFolder, stop, pids: { client, nodes: ofNodes }, ...webApi(webUrl) };
  } catch (error) {
    await stop();
    throw error;
  }
}

function webApi(webUrl: string): Pick<TahoeGrid, 'upload' | 'download' | 'check' | 'repair'> {
  async function request(path: string, init: RequestInit): Promise<Response> {
    const response = await fetch(`${webUrl}${path}`, init);
    if (!response.ok) throw new Error(`Tahoe answered ${response.status}: ${(await response.text()).slice(0, 2000)}`);
    return response;
  }
  return {
    upload: async (data) => (await request('/uri', { method: 'PUT', body: new Uint8Array(data) })).text(),
    download: async (cap) => new Uint8Array(await (await request(`/uri/${encodeURIComponent(cap)}`, {})).arrayBuffer()),
    async check(cap, { verify }) {
      const response = await request(`/uri/${encodeURIComponent(cap)}?t=check&verify=${verify}&output=json`, {
        method: 'POST',
      });
      return (await response.json()) as CheckResults;
    },
    async repair(cap) {
      const response = await request(`/uri/${encodeURIComponent(cap)}?t=check&repair=true&output=json`, {
        method: 'POST',
      });
      return ((await response.json()) as { 'repair-successful'?: boolean })['repair-successful'] === true;
    },
  };
}

/** What `tahoe create-node` would write, without starting Python for it. */
async function writeNode(folder: string, config: string): Promise<void> {
  await mkdir(join(folder, 'private'), { recursive: true, mode: 0o700 });
  await writeFile(join(folder, 'tahoe.cfg'), config);
  await writeFile(join(folder, 'tahoe-client.tac'), '# the name of this file tells the kind of node\n');
}

function startNode(python: string, folder: string): ChildProcess {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'loopback_tahoe.py');
  // Its stdin is a pipe of ours: a Tahoe node ends when that closes, so none outlives the tests.
  return spawn(python, [script, 'run', folder], { stdio: ['pipe', 'ignore', 'ignore'] });
}

async function nodeFacts(
  folder: string,
  name: string,
  port: number,
): Promise<{ node: TahoeNode; announcement: string }> {
  await eventually(`${name} to answer`, async () => {
    await readFile(join(folder, 'private/storage.furl'));
    await connectOnce(port);
    return true;
  });
  const furl = (await readFile(join(folder, 'private/storage.furl'), 'utf8')).trim();
  const peerId = peerIdOfCertificate(await readFile(join(folder, 'private/node.pem'), 'utf8'));
  const nurl = new Nurl(peerId, '127.0.0.1', port, furl.slice(furl.lastIndexOf('/') + 1));
  const serverId = (await readFile(join(folder, 'node.pubkey'), 'utf8')).trim().replace(/^pub-/, '');
  const seed = (await readFile(join(folder, 'permutation-seed'), 'utf8')).trim();
  return {
    node: { name, nurl, storageFolder: join(folder, 'storage') },
    announcement: announcement(serverId, name, furl, seed, nurl),
  };
}

/** A server that speaks GBS alone. Tahoe's client wants a FURL even so, for its tub id: it is the seed of the lease secrets. */
function announcementOf(nurl: Nurl): string {
  const tubId = tubIdOf(nurl.peerId);
  const serverId = `v0-${encodeBase32(peerIdToBytes(nurl.peerId))}`;
  return announcement(serverId, nurl.peerId, `pb://${tubId}@tcp:127.0.0.1:1/unused`, tubId, nurl);
}

function tubIdOf(peer: PeerId): string {
  return encodeBase32(peerIdToBytes(peer).subarray(0, 20));
}

function announcement(serverId: string, nickname: string, furl: string, seed: string, nurl: Nurl): string {
  return (
    `  ${serverId}:\n    ann:\n      nickname: ${nickname}\n      anonymous-storage-FURL: ${furl}\n` +
    `      permutation-seed-base32: ${seed}\n      anonymous-storage-NURLs:\n      - ${nurl.revealText()}\n`
  );
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function connectOnce(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

/** Tries again until `isSo` holds; what it throws meanwhile means "not yet". */
async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await isSo()) return;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`waited in vain for ${what}`, { cause: last });
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const callOff = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(callOff);
}
