/** Our side of the bench: peers in some processes, and one process each that puts, gets and proves. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child, startChild } from '../load/child.ts';
import { PeerHosts } from '../repair/peer-hosts.ts';
import type { ProfileFigures } from '../repair/protocol.ts';
import type { TransferCase, TransferKind } from './cases.ts';
import type { ClientFigures, FilesToPut, FilesToRead, StoredFile } from './protocol.ts';
import type { SourceFile } from './source-file.ts';

export interface TransferRound extends ClientFigures {
  readonly clientCpuSeconds: number;
  readonly peersCpuSeconds: number;
  readonly requests: number;
  readonly syncs: number;
}

export class OurClients {
  readonly #clients: Readonly<Record<TransferKind, Child>>;
  readonly #hosts: PeerHosts;
  readonly #downloads: string;

  private constructor(clients: Readonly<Record<TransferKind, Child>>, hosts: PeerHosts, downloads: string) {
    this.#clients = clients;
    this.#hosts = hosts;
    this.#downloads = downloads;
  }

  static async start(root: string, of: TransferCase): Promise<OurClients> {
    const hosts = await PeerHosts.start(root, of);
    const downloads = join(root, 'downloads');
    await mkdir(downloads);
    const start = (): Child => startChild(new URL('./client-process.ts', import.meta.url));
    const clients = { put: start(), get: start(), prove: start() };
    await Promise.all(Object.values(clients).map((client) => client.ask('start', { nurls: hosts.nurls })));
    return new OurClients(clients, hosts, downloads);
  }

  put({ coding, atOnce, files: count }: TransferCase, { path, sizeBytes }: SourceFile): Promise<TransferRound> {
    return this.#measured('put', { path, sizeBytes, count, coding, atOnce } satisfies FilesToPut);
  }

  read(
    kind: 'get' | 'prove',
    files: readonly StoredFile[],
    { sha256 }: SourceFile,
    { atOnce, isAsking }: TransferCase,
  ): Promise<TransferRound> {
    return this.#measured(kind, { files, folder: this.#downloads, sha256, isAsking, atOnce } satisfies FilesToRead);
  }

  /** So that the disk holds one round's shares. */
  async forgetShares(): Promise<void> {
    for (const folder of this.#hosts.folders) {
      const shares = join(folder, 'shares');
      const names = await readdir(shares).catch(() => []);
      for (const name of names.filter((each) => each !== 'incoming')) await rm(join(shares, name), { recursive: true });
    }
  }

  /** What the client and the peers do in the meantime. */
  async profiled(
    kind: TransferKind,
    folder: string,
    work: () => Promise<unknown>,
  ): Promise<Record<'client' | 'peers', ProfileFigures[]>> {
    await mkdir(folder, { recursive: true });
    const all = [this.#clients[kind], ...this.#hosts.processes];
    const nameOf = (at: number): string => (at === 0 ? kind : `${kind}-peers-${at}`);
    await Promise.all(all.map((child, at) => child.ask('profile', join(folder, `${nameOf(at)}.cpuprofile`))));
    await work();
    const [client, ...peers] = await Promise.all(all.map((child) => child.ask<ProfileFigures>('profiled')));
    return { client: client === undefined ? [] : [client], peers };
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.#clients).map((client) => client.end()));
    await this.#hosts.stop();
  }

  async #measured(kind: TransferKind, content: unknown): Promise<TransferRound> {
    const client = this.#clients[kind];
    const before = await this.#hosts.figures();
    const [clientCpu, peersCpu] = await this.#cpu(client);
    const figures = await client.ask<ClientFigures>(kind, content);
    const [clientCpuAfter, peersCpuAfter] = await this.#cpu(client);
    const after = await this.#hosts.figures();
    return {
      ...figures,
      clientCpuSeconds: clientCpuAfter - clientCpu,
      peersCpuSeconds: peersCpuAfter - peersCpu,
      requests: after.requests - before.requests,
      syncs: after.syncs - before.syncs,
    };
  }

  #cpu(client: Child): Promise<[number, number]> {
    return Promise.all([client.cpuSeconds(), this.#hosts.cpuSeconds()]);
  }
}
