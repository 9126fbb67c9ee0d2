/** Tahoe's side of the bench: its own client repairs on its own storage nodes, each a process. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Coding } from '#mesh/coding.ts';
import { startTahoeGrid, type TahoeGrid } from '#test/tahoe-grid/grid.ts';
import { inLanes } from '../load/lanes.ts';
import { cpuSecondsOf } from '../load/processor-time.ts';
import { keptOf, type RepairCase } from './cases.ts';
import { layOut, type MadeFile } from './files.ts';

/** Whatever our mesh has: more of them only cost Tahoe's client more. */
export const tahoeNodes = 12;

export interface TahoeRound {
  readonly seconds: number;
  readonly clientCpuSeconds: number;
  readonly nodesCpuSeconds: number;
}

export class TahoeMesh {
  readonly grid: TahoeGrid;

  private constructor(grid: TahoeGrid) {
    this.grid = grid;
  }

  /** @param coding of what its client uploads. */
  static async start({ k, n }: Coding = { k: 3, n: 10 }): Promise<TahoeMesh> {
    return new TahoeMesh(await startTahoeGrid({ nodeCount: tahoeNodes, needed: k, happy: 1, total: n }));
  }

  /** @returns read caps. */
  async prepare(of: RepairCase, made: MadeFile, count: number): Promise<string[]> {
    const caps: string[] = [];
    const folders = this.grid.nodes.map((node) => node.storageFolder);
    for (let at = 0; at < count; at++) caps.push((await layOut(made, keptOf(of), folders)).readCap);
    return caps;
  }

  async repair(caps: readonly string[], atOnce: number): Promise<TahoeRound> {
    const { round } = await this.measured(caps, atOnce, async (cap) => {
      if (!(await this.grid.repair(cap))) throw new Error('Tahoe could not repair a file');
    });
    return round;
  }

  async measured<T, R>(
    files: readonly T[],
    atOnce: number,
    work: (file: T) => Promise<R>,
  ): Promise<{ readonly results: readonly R[]; readonly round: TahoeRound }> {
    const [client, nodes] = this.#cpu();
    const beganMs = performance.now();
    const results = await inLanes(files, atOnce, work);
    const seconds = (performance.now() - beganMs) / 1000;
    const [clientAfter, nodesAfter] = this.#cpu();
    return { results, round: { seconds, clientCpuSeconds: clientAfter - client, nodesCpuSeconds: nodesAfter - nodes } };
  }

  /** So that the disk holds one round's shares. */
  async forgetShares(): Promise<void> {
    for (const { storageFolder } of this.grid.nodes) {
      const shares = join(storageFolder, 'shares');
      for (const name of await readdir(shares)) {
        if (name !== 'incoming') await rm(join(shares, name), { recursive: true });
      }
    }
  }

  stop(): Promise<void> {
    return this.grid.stop();
  }

  #cpu(): [number, number] {
    const { client, nodes } = this.grid.pids;
    return [cpuSecondsOf(client), nodes.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)];
  }
}
