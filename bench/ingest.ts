/**
 * What a collector costs by itself: batches of several sizes over kept HTTPS connections into a log in memory, 64 partitions;
 * events a second and processor time for a million of them, beside Node's own HTTPS server reading the same bodies.
 * `npm run bench -- ingest [EVENTS …]`: sizes of batches (100 1000 10000).
 */
import { type BenchCase, type BenchOptions, comparedCase } from './case.ts';
import { type Child, startChild } from './load/child.ts';
import type { GatewayFacts, GatewayStart } from './load/gateway-process.ts';
import { newIdentities, type TextIdentity } from './load/identities.ts';
import type { PostsFigures, PostsRound, PostsStart } from './load/posts-process.ts';

const rounds = 5;
const lanes = 16;
const partitions = 64;
/** A round is short, so that what else runs on the machine meets both servers alike. */
const postsPerRound = 1500;
const mostEventsPerRound = 5_000_000;

interface Server {
  readonly name: string;
  readonly child: Child;
  readonly load: Child;
  readonly eventsPerSecond: number[];
  readonly cpuSecondsPerMillion: number[];
  readonly clientCpuSecondsPerMillion: number[];
}

export async function* run({ arguments: words, note }: BenchOptions): AsyncGenerator<BenchCase> {
  const sizes = words.length > 0 ? words.map(Number) : [100, 1000, 10_000];
  const identities = await newIdentities(lanes);
  const collector = startChild(new URL('./load/gateway-process.ts', import.meta.url));
  const bare = startChild(new URL('./load/bare-server-process.ts', import.meta.url));
  const ends: Child[] = [collector, bare];
  try {
    const peers = identities.map(({ peerId }) => peerId);
    const facts = await collector.ask<GatewayFacts>('start', { peers, partitions } satisfies GatewayStart);
    const { port } = await bare.ask<{ port: number }>('start', 'https');
    const servers = [
      await newServer('collector', collector, facts.port, identities, ends),
      await newServer('node:https', bare, port, identities, ends),
    ];
    for (const eventsPerBatch of sizes) {
      for (const server of servers) {
        clear(server);
        await measure(server, eventsPerBatch);
        clear(server); // the first round compiled
      }
      for (let round = 1; round <= rounds; round++) {
        for (const server of servers) await measure(server, eventsPerBatch);
        note(
          `${eventsPerBatch} events a batch, round ${round}: ${Math.round(servers[0]?.eventsPerSecond.at(-1) ?? 0)} events/s`,
        );
      }
      const title = `batches of ${eventsPerBatch.toLocaleString('en')} events`;
      yield comparedCase(title, 'events/s', servers, (server) => server.eventsPerSecond);
      yield comparedCase(`${title}: a core of the server`, 'events/s', servers, (server) =>
        server.cpuSecondsPerMillion.map((seconds) => 1e6 / seconds),
      );
      yield comparedCase(`${title}: server`, 'CPU s/M', servers, (server) => server.cpuSecondsPerMillion);
      yield comparedCase(`${title}: client`, 'CPU s/M', servers, (server) => server.clientCpuSecondsPerMillion);
    }
  } finally {
    await Promise.all(ends.map((child) => child.end()));
  }
}

async function newServer(
  name: string,
  child: Child,
  port: number,
  identities: readonly TextIdentity[],
  ends: Child[],
): Promise<Server> {
  const load = startChild(new URL('./load/posts-process.ts', import.meta.url));
  ends.push(load);
  await load.ask('connect', { port, identities } satisfies PostsStart);
  return { name, child, load, eventsPerSecond: [], cpuSecondsPerMillion: [], clientCpuSecondsPerMillion: [] };
}

async function measure(server: Server, eventsPerBatch: number): Promise<void> {
  const events = Math.min(postsPerRound * eventsPerBatch, mostEventsPerRound);
  const before = await server.child.cpuSeconds();
  const figures = await server.load.ask<PostsFigures>('post', { eventsPerBatch, events } satisfies PostsRound);
  const used = (await server.child.cpuSeconds()) - before;
  server.eventsPerSecond.push(figures.events / figures.seconds);
  server.cpuSecondsPerMillion.push((used / figures.events) * 1e6);
  server.clientCpuSecondsPerMillion.push((figures.cpuSeconds / figures.events) * 1e6);
}

function clear(server: Server): void {
  server.eventsPerSecond.length = 0;
  server.cpuSecondsPerMillion.length = 0;
  server.clientCpuSecondsPerMillion.length = 0;
}
