/** Our side of the bench: peers in some processes, a repairer in another. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerId } from '#mesh/peer-id.ts';
import type { ProcessFigures } from '../breakdown/process-figures.ts';
import type { WatchedRepair } from '../breakdown/tables.ts';
import { type Child, startChild } from '../load/child.ts';
import { keptOf, type RepairCase } from './cases.ts';
import { layOut, type MadeFile } from './files.ts';
import { PeerHosts } from './peer-hosts.ts';
import type { BatchFigures, FileToRepair, ProfileFigures, WatchedFiles } from './protocol.ts';

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
  readonly #hosts: PeerHosts;

  private constructor(repairer: Child, hosts: PeerHosts) {
    this.#repairer = repairer;
    this.#hosts = hosts;
  }

  static async start(root: string, of: RepairCase): Promise<OurMesh> {
    const hosts = await PeerHosts.start(root, of);
    const repairer = startChild(new URL('./repairer-process.ts', import.meta.url));
    await repairer.ask('start', { nurls: hosts.nurls });
    return new OurMesh(repairer, hosts);
  }

  /** Damaged files, as a list of the analyzer would have them. */
  async prepare(of: RepairCase, made: MadeFile, count: number): Promise<FileToRepair[]> {
    const files: FileToRepair[] = [];
    for (let at = 0; at < count; at++) {
      const { manifest, kept } = await layOut(made, keptOf(of), this.#hosts.folders);
      files.push({
        manifest,
        placements: kept.map(({ shareNumber, holder }) => ({
          shareNumber,
          peerId: this.#hosts.peerIds[holder] as PeerId,
          available: true,
        })),
        maxSharesPerPeer: Math.ceil(of.coding.n / of.peers) + 1,
      });
    }
    return files;
  }

  async repair(files: readonly FileToRepair[], atOnce: number): Promise<OurRound> {
    const before = await this.#hosts.figures();
    const [repairerCpu, peersCpu] = await this.#cpu();
    const figures = await this.#repairer.ask<BatchFigures>('repair', { files, atOnce });
    const [repairerCpuAfter, peersCpuAfter] = await this.#cpu();
    const after = await this.#hosts.figures();
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
    const all = [this.#repairer, ...this.#hosts.processes];
    await Promise.all(
      all.map((child, at) => child.ask('profile', join(folder, `${at === 0 ? 'repairer' : `peers-${at}`}.cpuprofile`))),
    );
    await work();
    const [repairer, ...peers] = await Promise.all(all.map((child) => child.ask<ProfileFigures>('profiled')));
    return { repairer: repairer === undefined ? [] : [repairer], peers };
  }

  /** Where the time of the work went, here and at the peers. */
  async watched(work: () => Promise<unknown>): Promise<WatchedRepair> {
    const all = [this.#repairer, ...this.#hosts.processes];
    await Promise.all(all.map((child) => child.ask('watch')));
    await work();
    // All at once: what each does to end its profile is in none of them.
    const [repairer, ...peers] = await Promise.all([
      this.#repairer.ask<WatchedFiles>('watched'),
      ...this.#hosts.processes.map((child) => child.ask<ProcessFigures>('watched')),
    ]);
    return { files: repairer.files, repairer: repairer.figures, peers };
  }

  async stop(): Promise<void> {
    await this.#repairer.end();
    await this.#hosts.stop();
  }

  #cpu(): Promise<[number, number]> {
    return Promise.all([this.#repairer.cpuSeconds(), this.#hosts.cpuSeconds()]);
  }
}
