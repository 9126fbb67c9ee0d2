/**
 * New TLS connections at one collector, each with a peer's key and one heartbeat: full handshakes and resumed sessions a
 * second, and processor time for each; beside Node's own TLS server and HTTPS server under the same load.
 * `npm run bench -- connections [COUNT]`: connections a round (2000).
 */
import { type BenchCase, type BenchOptions, comparedCase } from './case.ts';
import { type Child, startChild } from './load/child.ts';
import type { ConnectionsFigures, ConnectionsRound } from './load/connections-process.ts';
import type { GatewayFacts, GatewayStart } from './load/gateway-process.ts';
import { newIdentities } from './load/identities.ts';

const rounds = 5;
const clientKeys = 200;
const lanes = 64;
const warmUp = 500;

interface Server {
  readonly name: string;
  readonly child: Child;
  readonly port: number;
  readonly perSecond: Record<'full' | 'resumed', number[]>;
  readonly serverCpuMs: Record<'full' | 'resumed', number[]>;
  readonly clientCpuMs: Record<'full' | 'resumed', number[]>;
}

export async function* run({ arguments: words, note }: BenchOptions): AsyncGenerator<BenchCase> {
  const count = Number(words[0] ?? 2000);
  const identities = await newIdentities(clientKeys);
  const load = startChild(new URL('./load/connections-process.ts', import.meta.url));
  const servers: Server[] = [];
  try {
    await load.ask('identities', identities);
    const collector = startChild(new URL('./load/gateway-process.ts', import.meta.url));
    const peers = identities.map(({ peerId }) => peerId);
    const start: GatewayStart = { peers, partitions: 64 };
    servers.push(newServer('collector', collector, (await collector.ask<GatewayFacts>('start', start)).port));
    for (const kind of ['tls', 'https'] as const) {
      const child = startChild(new URL('./load/bare-server-process.ts', import.meta.url));
      servers.push(newServer(`node:${kind}`, child, (await child.ask<{ port: number }>('start', kind)).port));
    }
    for (const server of servers) await open(load, server, { count: warmUp, resume: false });
    for (let round = 1; round <= rounds; round++) {
      for (const server of servers) {
        for (const kind of ['full', 'resumed'] as const) await measure(load, server, kind, count);
        note(
          `round ${round}, ${server.name}: ${Math.round(server.perSecond.full.at(-1) ?? 0)} new connections a second`,
        );
      }
    }
    for (const kind of ['full', 'resumed'] as const) {
      const title = kind === 'full' ? 'new connections, full handshake' : 'new connections, resumed session';
      yield comparedCase(title, 'conn/s', servers, (server) => server.perSecond[kind]);
      yield comparedCase(`${title}: server`, 'CPU ms', servers, (server) => server.serverCpuMs[kind]);
      yield comparedCase(`${title}: client`, 'CPU ms', servers, (server) => server.clientCpuMs[kind]);
      yield comparedCase(`${title}: for each core of a server`, 'conn/s', servers, (server) =>
        server.serverCpuMs[kind].map((ms) => 1000 / ms),
      );
    }
  } finally {
    await Promise.all([load.end(), ...servers.map(({ child }) => child.end())]);
  }
}

function newServer(name: string, child: Child, port: number): Server {
  const none = (): Record<'full' | 'resumed', number[]> => ({ full: [], resumed: [] });
  return { name, child, port, perSecond: none(), serverCpuMs: none(), clientCpuMs: none() };
}

function open(load: Child, { port }: Server, round: Pick<ConnectionsRound, 'count' | 'resume'>) {
  return load.ask<ConnectionsFigures>('open', { port, lanes, ...round } satisfies ConnectionsRound);
}

async function measure(load: Child, server: Server, kind: 'full' | 'resumed', count: number): Promise<void> {
  const before = await server.child.cpuSeconds();
  const figures = await open(load, server, { count, resume: kind === 'resumed' });
  const used = (await server.child.cpuSeconds()) - before;
  const wanted = kind === 'resumed' ? count : 0;
  // A key's first connection of a resumed round may find no session yet where its lanes overlap.
  if (Math.abs(figures.resumed - wanted) > clientKeys) {
    throw new Error(
      `${figures.resumed} of ${count} sessions were resumed at ${server.name}, where ${wanted} were meant`,
    );
  }
  server.perSecond[kind].push(count / figures.seconds);
  server.serverCpuMs[kind].push((used / count) * 1000);
  server.clientCpuMs[kind].push((figures.cpuSeconds / count) * 1000);
}
