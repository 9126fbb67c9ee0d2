/** The demonstration mesh: peers in a few processes of their own, each of which can be killed, wiped and brought back. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, MeshwardError } from '#mesh/errors.ts';
import type { PeerAction, PeerControl } from './control.ts';
import type { HostAnswer, HostCommand, HostedPeer, HostRequest, HostSettings } from './host-protocol.ts';
import type { DemoPeer } from './layout.ts';

export interface DemoMeshOptions {
  readonly peers: readonly DemoPeer[];
  /** Holds a folder for each peer. */
  readonly directory: string;
  readonly settings: HostSettings;
  readonly capacityBytes: number;
  /** One for each peer, on loopback. */
  readonly ports: readonly number[];
  /** Processes that the peers are spread over. */
  readonly hosts: number;
  /** A one-time token for a peer of these domains. */
  readonly createToken: (domains: Readonly<Record<string, string>>) => Promise<string>;
  readonly note: (line: string) => void;
}

const hostFile = fileURLToPath(new URL('./peer-host.ts', import.meta.url));
/** Peers that start at the same time: TLS keys and handshakes take the processor. */
const startsAtOnce = 8;

interface Host {
  child: ChildProcess;
  readonly waiting: Map<number, { resolve: () => void; reject: (error: unknown) => void }>;
  /** Peers that shall be running here. */
  readonly running: Map<string, HostedPeer>;
}

export class DemoMesh implements PeerControl {
  readonly #options: DemoMeshOptions;
  readonly #hosts: Host[] = [];
  readonly #peers = new Map<string, { readonly hosted: HostedPeer; readonly host: number }>();
  #nextId = 1;
  #stopping = false;

  constructor(options: DemoMeshOptions) {
    this.#options = options;
    options.peers.forEach((peer, i) => {
      const hosted: HostedPeer = {
        name: peer.name,
        folder: join(options.directory, peer.name),
        domains: { zone: peer.zone, region: peer.region },
        capacityBytes: options.capacityBytes,
        port: options.ports[i] as number,
      };
      this.#peers.set(peer.name, { hosted, host: i % options.hosts });
    });
  }

  get names(): readonly string[] {
    return [...this.#peers.keys()];
  }

  /** @param progress told how many peers are up. */
  async start(progress: (started: number) => void): Promise<void> {
    for (let i = 0; i < this.#options.hosts; i++) this.#hosts.push(await this.#open());
    const waiting = [...this.#peers.values()];
    let started = 0;
    const next = async (): Promise<void> => {
      for (let peer = waiting.shift(); peer !== undefined; peer = waiting.shift()) {
        const { hosted, host } = peer;
        const token = await this.#options.createToken(hosted.domains);
        await this.#ask(host, { kind: 'start', peer: hosted, token });
        this.#hosts[host]?.running.set(hosted.name, hosted);
        started++;
        progress(started);
      }
    };
    await Promise.all(Array.from({ length: startsAtOnce }, next));
  }

  async act(action: PeerAction, names: readonly string[]): Promise<void> {
    const chosen = names.map((name) => {
      const peer = this.#peers.get(name);
      if (peer !== undefined) return peer;
      throw new MeshwardError('file-unknown', `no peer of the demonstration is called ${name}`, {
        next: '`meshward peers` lists them.',
      });
    });
    await Promise.all(
      chosen.map(async ({ hosted, host }) => {
        if (action === 'return') {
          this.#hosts[host]?.running.set(hosted.name, hosted);
          return this.#ask(host, { kind: 'start', peer: hosted, token: null });
        }
        if (action === 'kill') this.#hosts[host]?.running.delete(hosted.name);
        return this.#ask(host, { kind: action, name: hosted.name });
      }),
    );
  }

  /** Process ids of the hosts: what a test may kill. */
  get hostPids(): readonly number[] {
    return this.#hosts.map(({ child }) => child.pid ?? -1);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#hosts.map(
        ({ child }) =>
          new Promise<void>((resolve) => {
            if (child.exitCode !== null || child.signalCode !== null) return resolve();
            child.once('exit', () => resolve());
            child.kill('SIGTERM');
          }),
      ),
    );
  }

  async #open(): Promise<Host> {
    const host: Host = {
      child: fork(hostFile, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
      waiting: new Map(),
      running: new Map(),
    };
    this.#watch(host);
    await this.#send(host, { kind: 'settle', settings: this.#options.settings });
    return host;
  }

  #watch(host: Host): void {
    const { child } = host;
    child.on('message', ({ id, error }: HostAnswer) => {
      const waiting = host.waiting.get(id);
      host.waiting.delete(id);
      if (error === null) waiting?.resolve();
      else
        waiting?.reject(
          new MeshwardError(error.code as ErrorCode, error.message, { next: error.next, retryable: true }),
        );
    });
    child.once('exit', () => {
      for (const { reject } of host.waiting.values()) reject(hostGone());
      host.waiting.clear();
      if (this.#stopping) return;
      this.#options.note('a process that hosts peers ended; it starts again');
      void this.#restart(host).catch(() => undefined);
    });
  }

  async #restart(host: Host): Promise<void> {
    host.child = fork(hostFile, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#watch(host);
    await this.#send(host, { kind: 'settle', settings: this.#options.settings });
    for (const peer of host.running.values()) await this.#send(host, { kind: 'start', peer, token: null });
  }

  #ask(host: number, command: HostCommand): Promise<void> {
    const chosen = this.#hosts[host];
    return chosen === undefined ? Promise.reject(hostGone()) : this.#send(chosen, command);
  }

  #send(host: Host, command: HostCommand): Promise<void> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      host.waiting.set(id, { resolve, reject });
      host.child.send({ id, command } satisfies HostRequest, (error) => {
        if (error === null) return;
        host.waiting.delete(id);
        reject(hostGone());
      });
    });
  }
}

function hostGone(): MeshwardError {
  return new MeshwardError('service-unavailable', 'the process that hosts this peer has ended', {
    next: 'It starts again by itself.',
    retryable: true,
  });
}
