/** Tahoe's side of the bench: its own client repairs on its own storage nodes, each a process. */
import { startTahoeGrid, type TahoeGrid } from '#test/tahoe-grid/grid.ts';
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
  readonly #grid: TahoeGrid;

  private constructor(grid: TahoeGrid) {
    this.#grid = grid;
  }

  static async start(): Promise<TahoeMesh> {
    return new TahoeMesh(await startTahoeGrid({ nodeCount: tahoeNodes, needed: 3, happy: 1, total: 10 }));
  }

  /** @returns read caps. */
  async prepare(of: RepairCase, made: MadeFile, count: number): Promise<string[]> {
    const caps: string[] = [];
    const folders = this.#grid.nodes.map((node) => node.storageFolder);
    for (let at = 0; at < count; at++) caps.push((await layOut(made, keptOf(of), folders)).readCap);
    return caps;
  }

  async repair(caps: readonly string[], atOnce: number): Promise<TahoeRound> {
    const [client, nodes] = this.#cpu();
    const beganMs = performance.now();
    const waiting = [...caps];
    const lane = async (): Promise<void> => {
      for (let cap = waiting.shift(); cap !== undefined; cap = waiting.shift()) {
        if (!(await this.#grid.repair(cap))) throw new Error('Tahoe could not repair a file');
      }
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    const seconds = (performance.now() - beganMs) / 1000;
    const [clientAfter, nodesAfter] = this.#cpu();
    return { seconds, clientCpuSeconds: clientAfter - client, nodesCpuSeconds: nodesAfter - nodes };
  }

  stop(): Promise<void> {
    return this.#grid.stop();
  }

  #cpu(): [number, number] {
    const { client, nodes } = this.#grid.pids;
    return [cpuSecondsOf(client), nodes.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)];
  }
}
