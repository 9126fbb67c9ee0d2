/** `meshward demo`: a mesh of real peers on this machine, and the story told on it. */
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Command, InvalidArgumentError } from 'commander';
import { createApiClient } from '#analyzer/api/client.ts';
import { startDemoControl } from '#demo/control.ts';
import { findFiles } from '#demo/files.ts';
import { demoPeers } from '#demo/layout.ts';
import { DemoMesh } from '#demo/mesh.ts';
import { freePorts } from '../ports.ts';
import type { Narrator } from '#demo/narrator.ts';
import { type StorySummary, tellStory } from '#demo/story.ts';
import { proofs } from '#analyzer/store/tables.ts';
import { seededRandom, systemClock } from '#mesh/clock.ts';
import { formatVerifyCap } from '#mesh/caps.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { policyFor } from '#mesh/policy.ts';
import { proofRow } from '#repairer/audit.ts';
import { proveFile } from '#repairer/prove.ts';
import { putFile } from '#repairer/put.ts';
import { stopRequested } from '../child.ts';
import { openStore } from '../connections.ts';
import { type Context, contextOf } from '../context.ts';
import { type MeshServices, peersFolder, startMeshServices } from '../mesh-services.ts';
import { openOperatorMesh } from '../operator-mesh.ts';
import { formatBytes, formatDuration } from '../output.ts';
import { refuseSecondRun } from '../run-file.ts';

interface DemoFlags {
  readonly once: boolean;
  readonly files?: string;
  readonly peers: number;
  readonly maxFiles: number;
  readonly seed: number;
  readonly patience: number;
  readonly keep: boolean;
}

const coding = { k: 25, n: 100 };
const graceMs = 6000;
const hostProcesses = 2;
const maxTotalBytes = 64 * 1024 * 1024;
const peerCapacityBytes = 1024 ** 3;

/** Everything that takes minutes in a real mesh takes seconds here. */
const hastyTimes = {
  'telemetry.logLevel': 'error',
  'log.sessionTimeoutMs': 3000,
  'collector.tickMs': 250,
  'agent.heartbeatMs': 1000,
  'analyzer.graceMs': graceMs,
  'analyzer.graceMaxMs': 60_000,
  'analyzer.settleMs': 20_000,
  'analyzer.sweepIntervalMs': 2000,
  'analyzer.flushIntervalMs': 500,
  'analyzer.staleAfterMs': 5000,
  'repairer.maxConcurrentRepairs': 3,
  'repairer.retryAfterMs': 2000,
  'repairer.confirmTimeoutMs': 20_000,
} as const;

export function addDemoCommands(program: Command): void {
  program
    .command('demo')
    .description('a mesh of real peers on this machine: watched, damaged, repaired, proven')
    .option('--once', 'tell the story to its end, print a summary and leave; fails where a promise was broken', false)
    .option('--files <dir>', 'store the files of this folder instead of the project’s own sources')
    .option('--peers <count>', 'how many peers', wholeNumber(100, 1000), 120)
    .option('--max-files <count>', 'store at most so many files', wholeNumber(1, 100_000), 100)
    .option('--seed <number>', 'repeat the choices of another run', wholeNumber(0, 0xffffffff), undefined)
    .option('--patience <factor>', 'multiply every time limit, for a slow machine', Number, 1)
    .option('--keep', 'keep the data directory of an earlier demonstration', false)
    .addHelpText('after', '\nWhile it runs, play with it:\n  meshward peers\n  meshward peer kill alder-01\n  meshward peer wipe birch-02\n  meshward peer return alder-01')
    .action(async (flags: DemoFlags, command: Command) => {
      const context = contextOf(command, { ...hastyTimes, ...(command.optsWithGlobals<{ dataDir?: string }>().dataDir === undefined ? { dataDir: '.meshward/demo' } : {}) });
      await refuseSecondRun(context);
      await runDemo(context, flags);
    });
}

async function runDemo(context: Context, flags: DemoFlags): Promise<void> {
  const { output, dataDir } = context;
  const startedMs = performance.now();
  const seed = flags.seed ?? randomBytes(4).readUInt32LE();
  const random = seededRandom(seed);
  const abort = new AbortController();
  const stop = stopRequested().then((reason) => {
    abort.abort(new MeshwardError('cancelled', `interrupted (${reason})`, { next: 'Start it again: nothing needs cleaning up.' }));
    return reason;
  });
  const narrator = narratorOf(context);
  const found = await findFiles(flags.files ?? fileURLToPath(new URL('../..', import.meta.url)), { maxFiles: flags.maxFiles, maxTotalBytes });
  if (!flags.keep) await rm(dataDir, { recursive: true, force: true });
  narrator.chapter(`A mesh of ${flags.peers} peers (seed ${seed})`);
  await using cleanUp = new AsyncDisposableStack();
  const services = await startMeshServices({ context, clock: systemClock, note: output.note, otherPortsWhereTaken: true });
  cleanUp.defer(() => services.stop());
  narrator.line(`Services are up after ${formatDuration(performance.now() - startedMs)}. The page: ${services.run.apiUrl}`);
  const operator = await openOperatorMesh({ context, ...services.run });
  cleanUp.defer(() => operator.close());
  const store = await openStore(storeContext(context, services), silentLogger, abort.signal);
  cleanUp.defer(() => store.close());

  const peers = demoPeers(flags.peers);
  const mesh = new DemoMesh({
    peers,
    directory: peersFolder(dataDir),
    settings: {
      collectorUrl: services.run.collectorUrl,
      collectorPin: services.run.collectorPin,
      heartbeatMs: context.config.agent.heartbeatMs,
      verifyBytesPerSecond: 64 * 1024,
    },
    capacityBytes: peerCapacityBytes,
    ports: await freePorts(peers.length),
    hosts: hostProcesses,
    createToken: async (domains) => (await operator.collector.createToken({ domains: { ...domains } })).token,
    note: output.note,
  });
  cleanUp.defer(() => mesh.stop());
  const bar = output.progress('peers started', peers.length);
  await mesh.start(bar.update);
  bar.finish();
  const token = randomBytes(24).toString('base64url');
  const control = await startDemoControl(mesh, token);
  cleanUp.defer(() => control.close());
  await services.extendRunFile({ demo: { url: control.url, token } });

  const api = createApiClient(services.run.apiUrl);
  await operatorReady(operator, peers.length, abort.signal);
  if (found.leftOut > 0) narrator.line(`${found.files.length} files are stored, ${found.leftOut} are left out: --max-files takes more.`);
  const policy = policyFor(context.config.policies, coding, '');
  const summary = await tellStory({
    api,
    control: mesh,
    peers,
    files: found.files,
    graceMs,
    narrator,
    clock: systemClock,
    random,
    signal: abort.signal,
    patience: flags.patience,
    put: (file, content) => putFile({ sizeBytes: file.sizeBytes, plaintext: content, policy, signal: abort.signal }, operator.putTools),
    register: async (caps) => {
      for (let from = 0; from < caps.length; from += 500) {
        await operator.collector.registerFiles(caps.slice(from, from + 500).map(({ manifest }) => ({ cap: formatVerifyCap(manifest) })));
      }
    },
    prove: async (cap, plaintextSha256, id) => {
      const result = await proveFile({ id, cap, plaintextSha256, urgent: true, signal: abort.signal }, operator.reading);
      await store.writer.enqueue(proofs, [proofRow(result, cap.manifest, 'demo', '')]);
      return result;
    },
  });
  await store.writer.flush();
  const durationMs = performance.now() - startedMs;
  output.result({ ...summary, seed, totalMs: Math.round(durationMs), pids: services.pids() }, () => describe(summary, durationMs));
  if (flags.once) return;
  output.note(`\nThe mesh lives on: ${services.run.apiUrl}\nPlay with it from another terminal, in this folder:\n  npx meshward --data-dir ${context.config.dataDir} peers\n  npx meshward --data-dir ${context.config.dataDir} peer kill alder-01\nStop it with Ctrl-C.`);
  await stop;
}

/** Peers must have said what room they have before files are put on them. */
async function operatorReady(operator: { refresh(): Promise<void>; putTools: { field(): { peers: readonly unknown[] } } }, wanted: number, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    await operator.refresh();
    if (operator.putTools.field().peers.length >= wanted) return;
    if (attempt > 600) {
      throw new MeshwardError('promise-broken', `only ${operator.putTools.field().peers.length} of ${wanted} peers came up`, {
        next: 'Look into the output above; a loaded machine may need --patience 2.',
      });
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
}

function storeContext(context: Context, services: MeshServices): Context {
  return { ...context, config: { ...context.config, clickhouse: { ...context.config.clickhouse, ...services.clickhouse } } };
}

function narratorOf({ output }: Context): Narrator {
  let chapter = 0;
  return {
    chapter: (title) => output.note(`\n${++chapter}. ${title}`),
    line: (text) => output.note(`   ${text}`),
    progress: (label, total) => output.progress(`   ${label}`, total),
  };
}

function describe(summary: StorySummary, durationMs: number): string {
  const { files, bytes, repairs, sharesRestored, repairBytesRead, repairBytesWritten, repairMs, promises } = summary;
  return [
    '',
    `The story is told in ${formatDuration(durationMs)}: ${promises.filter(({ kept }) => kept).length} of ${promises.length} promises kept.`,
    `  ${files} files, ${formatBytes(bytes)}, on ${summary.peers} peers`,
    `  ${repairs} repairs restored ${sharesRestored} shares in ${formatDuration(repairMs)}, reading ${formatBytes(repairBytesRead)} and writing ${formatBytes(repairBytesWritten)}`,
    `  ${summary.proofs} files recovered from random shares and compared with their originals`,
  ].join('\n');
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`a whole number from ${least} to ${most} is wanted`);
  };
}
