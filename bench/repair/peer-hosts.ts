/** Our peers in processes of their own, some in each. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PeerId } from '#mesh/peer-id.ts';
import { parseNurl } from '#tahoe/identity/nurl.ts';
import { type Child, startChild } from '../load/child.ts';
import type { PeersFigures } from './protocol.ts';

const peersPerProcess = 30;
/** A process of one peer has four threads for its disk. */
const peerThreads = { UV_THREADPOOL_SIZE: String(2 * peersPerProcess) };

export interface PeerHostsOptions {
  readonly peers: number;
  readonly syncToDisk: boolean;
}

export class PeerHosts {
  readonly processes: readonly Child[];
  /** Of each peer, for its shares. */
  readonly folders: readonly string[];
  readonly nurls: readonly string[];
  readonly peerIds: readonly PeerId[];

  private constructor(processes: readonly Child[], folders: readonly string[], nurls: readonly string[]) {
    this.processes = processes;
    this.folders = folders;
    this.nurls = nurls;
    this.peerIds = nurls.map((text) => parseNurl(text).peerId);
  }

  static async start(root: string, { peers, syncToDisk }: PeerHostsOptions): Promise<PeerHosts> {
    const folders = Array.from({ length: peers }, (_, at) => join(root, `peer-${at}`));
    for (const folder of folders) await mkdir(folder, { recursive: true });
    const processes: Child[] = [];
    const nurls: string[] = [];
    for (let at = 0; at < peers; at += peersPerProcess) {
      const host = startChild(new URL('./peers-process.ts', import.meta.url), [], peerThreads);
      processes.push(host);
      nurls.push(
        ...(await host.ask<string[]>('start', { folders: folders.slice(at, at + peersPerProcess), syncToDisk })),
      );
    }
    return new PeerHosts(processes, folders, nurls);
  }

  async figures(): Promise<PeersFigures> {
    const each = await Promise.all(this.processes.map((host) => host.ask<PeersFigures>('figures')));
    const sum = (of: (figures: PeersFigures) => number): number => each.reduce((total, one) => total + of(one), 0);
    return {
      requests: sum((one) => one.requests),
      syncs: sum((one) => one.syncs),
      connections: sum((one) => one.connections),
    };
  }

  async cpuSeconds(): Promise<number> {
    const each = await Promise.all(this.processes.map((host) => host.cpuSeconds()));
    return each.reduce((total, seconds) => total + seconds, 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((host) => host.end()));
  }
}
