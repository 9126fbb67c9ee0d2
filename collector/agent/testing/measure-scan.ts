/**
 * Measures what a folder of many shares costs: `node collector/agent/testing/measure-scan.ts [shares]` (default 100,000).
 * Prints the first scan (which opens every share), a scan after a restart (which opens none), and the table's memory.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { storageIndexFromBytes } from '#mesh/storage-index.ts';
import { containerOf, PeerFolder } from './peer-folder.ts';
import { runAgent } from './running-agent.ts';

const count = Number(process.argv[2] ?? 100_000);
const folder = await PeerFolder.make();
const key = new Uint8Array(16);
const view = new DataView(key.buffer);
const container = await containerOf(1);
for (let i = 0; i < count; i++) {
  view.setUint32(0, Math.imul(i, 0x9e3779b1));
  view.setUint32(4, i);
  const path = folder.sharePath(storageIndexFromBytes(key), 1);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, container);
}
process.stdout.write(`${count} shares, one a file\n`);
const slow = { config: { heartbeatMs: 10_000 }, agent: { timing: {} } };
const run = await runAgent({ folder, ...slow });
const report = async (what: string): Promise<void> => {
  const beganMs = performance.now();
  await run.agent.settled();
  const { lastScanDurationMs, shares, watches } = run.agent.status();
  process.stdout.write(
    `${what}: scan ${Math.round(lastScanDurationMs ?? 0)} ms, until the collector has all of it ${Math.round(performance.now() - beganMs)} ms, ${shares} shares, ${watches} watches, rss ${Math.round(process.memoryUsage.rss() / 1e6)} MB\n`,
  );
};
await report('first start');
await run.restart();
await report('restart');
run.agent.requestInventory();
await report('inventory');
const cpu = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, 10_000));
const used = process.cpuUsage(cpu);
process.stdout.write(`at rest: ${Math.round((used.user + used.system) / 10_000)} ms of CPU a second\n`);
await run.end();
