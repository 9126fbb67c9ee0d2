/**
 * What the rest of a mesh bears while a zone is repaired at full speed on the same machine: how long the acknowledgement of a
 * heartbeat and an answer of the API take, beside the same at rest in the same run. `npm run bench -- under-repair [words]`.
 *
 * Collector, analyzer, repairer and ClickHouse run as `meshward up` starts them, with acted peers at the default intervals
 * (bench/idle.ts); beside them files are repaired over the wire as in bench/repair.ts, by another repairer and peers of their own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import type { BenchCase, BenchOptions } from './case.ts';
import { type Child, startChild } from './load/child.ts';
import type { IdleFigures } from './load/idle-load-process.ts';
import { restingPace, startIdleMesh } from './load/idle-mesh.ts';
import { storageIndexOf } from './load/mesh-layout.ts';
import { quantile } from './load/quantile.ts';
import { optionsOf, type RepairCase, titleOf } from './repair/cases.ts';
import { makeFile } from './repair/files.ts';
import { OurMesh } from './repair/our-mesh.ts';

const usage = `words: --peers N (1000, acted)  --files N (20000, watched)  --seconds N (30, each way)
       --code K/N  --size 10MB  --at-once N  of the repair, as for bench repair`;

const askEveryMs = 50;
const settleSeconds = 15;
/** Repaired in one go; then the next ones are laid out. */
const filesAtOnceFactor = 3;

interface Answers {
  readonly heartbeat: readonly number[];
  readonly mesh: readonly number[];
  readonly file: readonly number[];
}

interface Asked {
  readonly url: string;
  readonly into: number[];
}

export async function* run({ arguments: words, note }: BenchOptions): AsyncIterable<BenchCase> {
  if (words.includes('--help')) return note(usage);
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...words],
    options: { peers: text, files: text, seconds: text, code: text, size: text, 'at-once': text },
  });
  const repairWords = (['code', 'size', 'at-once'] as const).flatMap((name) =>
    values[name] === undefined ? [] : [`--${name}`, values[name]],
  );
  const [repair] = optionsOf(['--size', '10MB', ...repairWords]).cases;
  const layout = { k: 3, n: 10, files: Number(values.files ?? 20_000), peers: Number(values.peers ?? 1000) };
  const seconds = Number(values.seconds ?? 30);
  const folder = await mkdtemp(join(tmpdir(), 'meshward-bench-under-repair-'));
  const load = startChild(new URL('./load/idle-load-process.ts', import.meta.url));
  try {
    const mesh = await startIdleMesh({ folder, layout, load, settings: {}, note });
    try {
      await mesh.rest(restingPace);
      await wait(settleSeconds * 1000);
      const { apiUrl } = mesh.services.run;
      const atRest = await answersDuring(load, apiUrl, () => wait(seconds * 1000));
      note('at rest');
      const repairing = await startRepairs(join(folder, 'repaired'), repair as RepairCase);
      try {
        const under = await answersDuring(load, apiUrl, () => repairing.during(seconds * 1000));
        note(`${titleOf(repair as RepairCase)}: ${repairing.rate().toFixed(1)} MB/s of file`);
        yield* casesOf(atRest, under, repairing.rate());
      } finally {
        await repairing.stop();
      }
    } finally {
      await mesh.stop();
    }
  } finally {
    await load.end();
    await rm(folder, { recursive: true, force: true });
  }
}

async function answersDuring(load: Child, apiUrl: string, work: () => Promise<unknown>): Promise<Answers> {
  const mesh: Asked = { url: new URL('/v1/mesh', apiUrl).href, into: [] };
  const index = storageIndexFromBytes(storageIndexOf(7));
  const file: Asked = { url: new URL(`/v1/files/${index}`, apiUrl).href, into: [] };
  await load.ask<IdleFigures>('figures');
  const stop = new AbortController();
  const asking = [mesh, file].map((each) => askUntil(each, stop.signal));
  await work();
  stop.abort();
  await Promise.all(asking);
  const { heartbeatMs, failures } = await load.ask<IdleFigures>('figures');
  if (failures.length > 0) throw new Error(`posts failed: ${failures.slice(0, 3).join('; ')}`);
  return { heartbeat: heartbeatMs, mesh: mesh.into, file: file.into };
}

async function askUntil({ url, into }: Asked, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const beganMs = performance.now();
    const answer = await fetch(url);
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
    into.push(performance.now() - beganMs);
    await wait(askEveryMs);
  }
}

interface Repairing {
  during(ms: number): Promise<void>;
  /** MB of file a second. */
  rate(): number;
  stop(): Promise<void>;
}

async function startRepairs(folder: string, of: RepairCase): Promise<Repairing> {
  const made = await makeFile(of.coding, of.sizeBytes);
  const mesh = await OurMesh.start(folder, of);
  const files = of.atOnce * filesAtOnceFactor;
  // The first ones make the connections.
  await mesh.repair(await mesh.prepare(of, made, of.atOnce), of.atOnce);
  let megabytes = 0;
  let seconds = 0;
  return {
    async during(ms) {
      const endMs = performance.now() + ms;
      while (performance.now() < endMs) {
        const round = await mesh.repair(await mesh.prepare(of, made, files), of.atOnce);
        megabytes += (files * of.sizeBytes) / 1e6;
        seconds += round.seconds;
      }
    },
    rate: () => megabytes / seconds,
    stop: () => mesh.stop(),
  };
}

function* casesOf(atRest: Answers, under: Answers, rate: number): Iterable<BenchCase> {
  const titles = { heartbeat: 'acknowledgement of a heartbeat', mesh: '/v1/mesh', file: '/v1/files/INDEX' };
  for (const name of ['heartbeat', 'mesh', 'file'] as const) {
    yield {
      case: `${titles[name]}, p99 under repair`,
      unit: 'ms',
      ours: quantile(under[name], 0.99),
      peers: { 'at rest': quantile(atRest[name], 0.99) },
      spread: 0,
      details: {
        'ms p50 under repair': quantile(under[name], 0.5),
        'ms p50 at rest': quantile(atRest[name], 0.5),
        'ms longest under repair': quantile(under[name], 1),
        'answers under repair': under[name].length,
        'MB/s of file repaired': rate,
        'load of the machine': loadavg()[0] ?? 0,
      },
    };
  }
}
