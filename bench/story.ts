/**
 * What the whole story costs on this machine: events a second while files go in, bytes a second of repair, and the memory
 * of each process at its peak. Words after the name go to `meshward demo`, such as `--max-files 30`.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunFile } from '#cli/run-file.ts';
import type { StorySummary } from '#demo/story.ts';
import type { BenchCase, BenchOptions } from './case.ts';

const mainFile = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const sampleMs = 500;

export async function* run(options: BenchOptions): AsyncGenerator<BenchCase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'meshward-bench-'));
  const child = spawn(
    process.execPath,
    [mainFile, '--json', '--data-dir', dataDir, 'demo', '--once', ...options.arguments],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const peakBytes = new Map<string, number>();
  const events: { readonly atMs: number; readonly count: number }[] = [];
  const timer = setInterval(() => {
    for (const [name, bytes] of memoryBelow(child.pid ?? -1))
      peakBytes.set(name, Math.max(bytes, peakBytes.get(name) ?? 0));
    void countEvents(dataDir).then((count) => {
      if (count !== null) events.push({ atMs: performance.now(), count });
    });
  }, sampleMs);
  const exitCode = await ended;
  clearInterval(timer);
  await rm(dataDir, { recursive: true, force: true });
  if (exitCode !== 0) throw new Error(`the story ended with exit code ${exitCode}`);

  const summary = JSON.parse(output) as StorySummary;
  const single = { peers: {}, spread: 0 };
  yield { case: 'share events applied, best second', unit: 'events/s', ours: bestRate(events), ...single };
  const repairedBytes = summary.repairBytesRead + summary.repairBytesWritten;
  yield { case: 'repair, read and written', unit: 'MB/s', ours: repairedBytes / 1e3 / summary.repairMs, ...single };
  yield {
    case: 'shares restored',
    unit: 'shares/s',
    ours: (summary.sharesRestored / summary.repairMs) * 1000,
    ...single,
  };
  yield { case: 'the whole story', unit: 's', ours: summary.durationMs / 1000, ...single };
  for (const [name, bytes] of [...peakBytes].sort(([a], [b]) => a.localeCompare(b)))
    yield { case: `peak memory, ${name}`, unit: 'MiB', ours: bytes / 2 ** 20, ...single };
}

function bestRate(samples: readonly { readonly atMs: number; readonly count: number }[]): number {
  let best = 0;
  for (let i = 2; i < samples.length; i++) {
    const [from, to] = [samples[i - 2], samples[i]];
    if (from !== undefined && to !== undefined)
      best = Math.max(best, ((to.count - from.count) / (to.atMs - from.atMs)) * 1000);
  }
  return best;
}

async function countEvents(dataDir: string): Promise<number | null> {
  try {
    const { apiUrl } = JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')) as RunFile;
    const text = await (await fetch(new URL('/metrics', apiUrl))).text();
    const line = /^meshward_analyzer_events_total\{[^}]*\} (\d+)/m.exec(text);
    return line === null ? null : Number(line[1]);
  } catch {
    return null;
  }
}

/** Resident bytes of a process and its children; those of one kind are numbered. */
function memoryBelow(root: number): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
      if (pid !== root && parent !== root) continue;
      const bytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
      const kind =
        pid === root ? 'supervisor and story' : kindOf(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'));
      let name = kind;
      for (let i = 2; found.has(name); i++) name = `${kind} ${i}`;
      found.set(name, bytes);
    } catch {
      // It ended between being listed and being read.
    }
  }
  return found;
}

function kindOf(words: readonly string[]): string {
  if (words.some((word) => word.endsWith('peer-host.ts'))) return '60 peers';
  if (words[0]?.includes('clickhouse') === true) return 'clickhouse';
  return words.find((word) => ['collector', 'analyzer', 'repairer'].includes(word)) ?? 'other';
}
