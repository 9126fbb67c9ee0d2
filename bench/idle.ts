/**
 * What watching costs while nothing happens, at the default configuration: collector, analyzer, repairer and ClickHouse as
 * `meshward up` starts them on this machine, and peers that only say that all is well. `npm run bench -- idle [words]`, `--help`.
 *
 * Peers are acted by one more process: no disks and no agents, but the posts that agents make (heartbeats, settings, verified
 * shares, inventories) at their rates, each peer over a connection of its own by mutual TLS. The window is short and its time is
 * the real one: nothing is sped up, what happens once in hours happens to as many peers in a minute as it would.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type BenchCase, type BenchOptions, spreadOf } from './case.ts';
import { startChild } from './load/child.ts';
import { IdleCounters, type IdleCounts } from './load/idle-counters.ts';
import type { IdleFigures } from './load/idle-load-process.ts';
import { type IdleMesh, restingPace, startIdleMesh } from './load/idle-mesh.ts';
import type { MeshLayout } from './load/mesh-layout.ts';
import { quantile } from './load/quantile.ts';

const usage = `words: --peers N (1000 and then 10000)  --files N (1000000)  --code K/N (3/10)  --seconds N (60)
       --gather-ms N (30000): how long agents gather what they verified
       --heartbeat-ms N (10000)  --settle N (20): seconds of rest after the last share is stored; a million files are merged for minutes
       --set KEY=VALUE of the services, as often as you like`;

const daySeconds = 86_400;
const slices = 3;
interface IdleOptions {
  readonly layouts: readonly MeshLayout[];
  readonly seconds: number;
  /** After the last share is stored, until the window begins: merges end, and everything beats. */
  readonly settleSeconds: number;
  readonly gatherMs: number;
  readonly heartbeatMs: number;
  readonly settings: Readonly<Record<string, string>>;
}

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  if (words.includes('--help')) return note(usage);
  const options = optionsOf(words);
  for (const layout of options.layouts) yield await measure(layout, options, note);
}

function optionsOf(words: readonly string[]): IdleOptions {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...words],
    options: {
      peers: text,
      files: text,
      code: text,
      seconds: text,
      settle: text,
      'gather-ms': text,
      'heartbeat-ms': text,
      set: { type: 'string', multiple: true, default: [] as string[] },
    },
  });
  const [k = 3, n = 10] = (values.code ?? '3/10').split('/').map(Number);
  const files = Number(values.files ?? 1_000_000);
  const peers = values.peers === undefined ? [1000, 10_000] : [Number(values.peers)];
  return {
    layouts: peers.map((each) => ({ k, n, files, peers: each })),
    seconds: Number(values.seconds ?? 60),
    settleSeconds: Number(values.settle ?? 20),
    gatherMs: Number(values['gather-ms'] ?? restingPace.gatherMs),
    heartbeatMs: Number(values['heartbeat-ms'] ?? restingPace.heartbeatMs),
    settings: Object.fromEntries(values.set.map((pair) => pair.split('=', 2) as [string, string])),
  };
}

async function measure(layout: MeshLayout, options: IdleOptions, note: (line: string) => void): Promise<BenchCase> {
  const folder = await mkdtemp(join(tmpdir(), 'meshward-bench-idle-'));
  const load = startChild(new URL('./load/idle-load-process.ts', import.meta.url));
  let mesh: IdleMesh | undefined;
  try {
    mesh = await startIdleMesh({ folder, layout, load, settings: options.settings, note });
    await mesh.rest({ heartbeatMs: options.heartbeatMs, gatherMs: options.gatherMs });
    await wait(options.settleSeconds * 1000);
    await load.ask<IdleFigures>('figures');
    const counters = new IdleCounters(mesh);
    const counts: IdleCounts[] = [await counters.read()];
    for (let slice = 0; slice < slices; slice++) {
      await wait((options.seconds / slices) * 1000);
      counts.push(await counters.read());
      note(`${layout.peers} peers: ${slice + 1} of ${slices} parts of the window`);
    }
    return caseOf(layout, counts, await load.ask<IdleFigures>('figures'));
  } finally {
    await load.end();
    await mesh?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function caseOf(layout: MeshLayout, counts: readonly IdleCounts[], said: IdleFigures): BenchCase {
  const [first, last] = [counts[0] as IdleCounts, counts.at(-1) as IdleCounts];
  const seconds = last.atSeconds - first.atSeconds;
  const perSecond = (of: (counts: IdleCounts) => number): number => (of(last) - of(first)) / seconds;
  const cpu = ({ cpuSeconds }: IdleCounts): number => Object.values(cpuSeconds).reduce((sum, each) => sum + each, 0);
  const cpuOfSlices = counts.slice(1).map((after, i) => {
    const before = counts[i] as IdleCounts;
    return (cpu(after) - cpu(before)) / (after.atSeconds - before.atSeconds);
  });
  if (said.failures.length > 0) throw new Error(`posts failed: ${said.failures.slice(0, 3).join('; ')}`);
  return {
    case: `at rest: ${layout.peers} peers, ${layout.files} files, ${layout.k}-of-${layout.n}`,
    unit: 'CPU s/day',
    ours: perSecond(cpu) * daySeconds,
    peers: {},
    spread: spreadOf(cpuOfSlices),
    details: {
      ...Object.fromEntries(
        Object.keys(first.cpuSeconds).map((name) => [
          `CPU s a day, ${name}`,
          perSecond((each) => each.cpuSeconds[name] ?? 0) * daySeconds,
        ]),
      ),
      'inserts a minute': perSecond((each) => each.inserts) * 60,
      'parts a minute': perSecond((each) => each.parts) * 60,
      'merges a minute': perSecond((each) => each.merges) * 60,
      'rows a minute': perSecond((each) => each.rows) * 60,
      'appends to the log a second': perSecond((each) => each.logRecords),
      'MB a day kept in the log': (perSecond((each) => each.logBytes) * daySeconds) / 1e6,
      ...Object.fromEntries(
        Object.keys(first.writtenBytes).map((name) => [
          `GB a day written to disk, ${name}`,
          (perSecond((each) => each.writtenBytes[name] ?? 0) * daySeconds) / 1e9,
        ]),
      ),
      'heartbeats a second': said.heartbeatMs.length / seconds,
      'batches a second': said.batches / seconds,
      'share events a second': said.events / seconds,
      'posts put off': said.putOff,
      'ms to the acknowledgement of a heartbeat, p50': quantile(said.heartbeatMs, 0.5),
      'ms to the acknowledgement of a heartbeat, p99': quantile(said.heartbeatMs, 0.99),
      'load of the machine': loadavg()[0] ?? 0,
    },
  };
}
