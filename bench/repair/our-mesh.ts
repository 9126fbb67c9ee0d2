/** Our side of the bench: peers in some processes, a repairer in another. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerId } from '#mesh/peer-id.ts';
import { parseNurl } from '#tahoe/identity/nurl.ts';
import { type Child, startChild } from '../load/child.ts';
import { keptOf, type RepairCase } from './cases.ts';
import { layOut, type MadeFile } from './files.ts';
import type { BatchFigures, FileToRepair, PeersFigures, ProfileFigures } from './protocol.ts';

const peersPerProcess = 30;
/** A process of one peer has four threads for its disk. */
const peerThreads = { UV_THREADPOOL_SIZE: String(2 * peersPerProcess) };

export interface OurRound extends BatchFigures {
  readonly repairerCpuSeconds: number;
  readonly peersCpuSeconds: number;
  readonly requests: number;
  readonly syncs: number;
  /** Connections that were there at the end. */
  readonly connections: number;
}

export class OurMesh {
  readonly #repairer: Child;
  readonly #hosts: readonly Child[];
  readonly #folders: readonly string[];
  readonly #peerIds: readonly PeerId[];

  private constructor(
    repairer: Child,
    hosts: readonly Child[],
    folders: readonly string[],
    peerIds: readonly PeerId[],
  ) {
    this.#repairer = repairer;
    this.#hosts = hosts;
    this.#folders = folders;
    this.#peerIds = peerIds;
  }

  static async start(root: string, { peers, syncToDisk }: RepairCase): Promise<OurMesh> {
    const folders = Array.from({ length: peers }, (_, at) => join(root, `peer-${at}`));
    for (const folder of folders) await mkdir(folder, { recursive: true });
    const hosts: Child[] = [];
    const nurls: string[] = [];
    for (let at = 0; at < peers; at += peersPerProcess) {
      const host = startChild(new URL('./peers-process.ts', import.meta.url), [], peerThreads);
      hosts.push(host);
      nurls.push(
        ...(await host.ask<string[]>('start', { folders: folders.slice(at, at + peersPerProcess), syncToDisk })),
      );
    }
    const repairer = startChild(new URL('./repairer-process.ts', import.meta.url));
    await repairer.ask('start', { nurls });
    return new OurMesh(
      repairer,
      hosts,
      folders,
      nurls.map((text) => parseNurl(text).peerId),
    );
  }

  /** Damaged files, as a list of the analyzer would have them. */
  async prepare(of: RepairCase, made: MadeFile, count: number): Promise<FileToRepair[]> {
    const files: FileToRepair[] = [];
    for (let at = 0; at < count; at++) {
      const { manifest, kept } = await layOut(made, keptOf(of), this.#folders);
      files.push({
        manifest,
        placements: kept.map(({ shareNumber, holder }) => ({
          shareNumber,
          peerId: this.#peerIds[holder] as PeerId,
          available: true,
        })),
        maxSharesPerPeer: Math.ceil(of.coding.n / of.peers) + 1,
      });
    }
    return files;
  }

  async repair(files: readonly FileToRepair[], atOnce: number): Promise<OurRound> {
    const before = await this.#figures();
    const [repairerCpu, peersCpu] = await this.#cpu();
    const figures = await this.#repairer.ask<BatchFigures>('repair', { files, atOnce });
    const [repairerCpuAfter, peersCpuAfter] = await this.#cpu();
    const after = await this.#figures();
    if (figures.failures.length > 0) throw new Error(`repairs failed: ${figures.failures.slice(0, 3).join('; ')}`);
    return {
      ...figures,
      repairerCpuSeconds: repairerCpuAfter - repairerCpu,
      peersCpuSeconds: peersCpuAfter - peersCpu,
      requests: after.requests - before.requests,
      syncs: after.syncs - before.syncs,
      connections: after.connections,
    };
  }

  /** What the repairer and the peers do in the meantime. */
  async profiled(
    folder: string,
    work: () => Promise<unknown>,
  ): Promise<Record<'repairer' | 'peers', ProfileFigures[]>> {
    await mkdir(folder, { recursive: true });
    const all = [this.#repairer, ...this.#hosts];
    await Promise.all(
      all.map((child, at) => child.ask('profile', join(folder, `${at === 0 ? 'repairer' : `peers-${at}`}.cpuprofile`))),
    );
    await work();
    const [repairer, ...peers] = await Promise.all(all.map((child) => child.ask<ProfileFigures>('profiled')));
    return { repairer: repairer === undefined ? [] : [repairer], peers };
  }

  async stop(): Promise<void> {
    await this.#repairer.end();
    await Promise.all(this.#hosts.map((host) => host.end()));
  }

  async #figures(): Promise<PeersFigures> {
    const each = await Promise.all(this.#hosts.map((host) => host.ask<PeersFigures>('figures')));
    const sum = (of: (figures: PeersFigures) => number): number => each.reduce((total, one) => total + of(one), 0);
    return {
      requests: sum((one) => one.requests),
      syncs: sum((one) => one.syncs),
      connections: sum((one) => one.connections),
    };
  }

  async #cpu(): Promise<[number, number]> {
    const [repairer = 0, ...hosts] = await Promise.all(
      [this.#repairer, ...this.#hosts].map((child) => child.cpuSeconds()),
    );
    return [repairer, hosts.reduce((sum, seconds) => sum + seconds, 0)];
  }
}
