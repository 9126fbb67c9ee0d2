/** The demonstration from its first process to its last line. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiSender } from '#access/api-sender.ts';
import { type ApiClient, createApiClient } from '#analyzer/api/client.ts';
import { startDemoControl } from '#demo/control.ts';
import { type FileLimits, type FoundFiles, findFiles } from '#demo/files.ts';
import { demoPeers } from '#demo/layout.ts';
import { DemoMesh } from '#demo/mesh.ts';
import type { Narrator } from '#demo/narrator.ts';
import { type StorySummary, tellStory } from '#demo/story.ts';
import { formatVerifyCap } from '#mesh/caps.ts';
import { seededRandom, sleep, systemClock } from '#mesh/clock.ts';
import { isRetryable, MeshwardError } from '#mesh/errors.ts';
import { silentLogger } from '#mesh/logger.ts';
import { policyFor } from '#mesh/policy.ts';
import { proofRow } from '#repairer/audit.ts';
import { putFile } from '#repairer/files/put.ts';
import { proveFile } from '#repairer/proofs/prove.ts';
import { proofs } from '#store/tables.ts';
import { stopRequested } from './child.ts';
import { dropDatabase, openStore } from './connections.ts';
import { type Context, demoDataDir } from './context.ts';
import { withCollector } from './mesh-address.ts';
import { openMeshPeers } from './mesh-peers.ts';
import { type MeshServices, peersFolder, startMeshServices } from './mesh-services.ts';
import { formatBytes, formatDuration } from './output.ts';
import { reservePeerPorts } from './ports.ts';
import { removeTopics } from './prepare-topics.ts';

export interface DemoFlags {
  readonly once: boolean;
  readonly files?: string;
  readonly peers: number;
  readonly maxFiles: number;
  readonly maxSize: number;
  readonly seed?: number;
  readonly patience: number;
  readonly keep: boolean;
}

/** Which names on Kafka and ClickHouse are this demonstration's alone. */
export interface OwnedNames {
  readonly topics: boolean;
  readonly database: boolean;
}

const coding = { k: 25, n: 100 };
const hostProcesses = 2;
const peerCapacityBytes = 1024 ** 3;
const verifyBytesPerSecond = 64 * 1024;
const registeredAtOnce = 500;
const projectFolder = fileURLToPath(new URL('..', import.meta.url));

export async function runDemo(context: Context, flags: DemoFlags, owned: OwnedNames): Promise<void> {
  const { output, dataDir } = context;
  const startedMs = performance.now();
  const seed = flags.seed ?? randomBytes(4).readUInt32LE();
  const abort = new AbortController();
  const stop = stopRequested().then((reason) => {
    abort.abort(
      new MeshwardError('cancelled', `interrupted (${reason})`, { next: 'Start it again: nothing needs cleaning up.' }),
    );
    return reason;
  });
  const narrator = narratorOf(context);
  const limits = { maxFiles: flags.maxFiles, maxTotalBytes: flags.maxSize };
  const found = await findFiles(flags.files ?? projectFolder, limits);
  await prepareFolder(dataDir, flags.keep);
  narrator.chapter(`A mesh of ${flags.peers} peers (seed ${seed})`);
  await using cleanUp = new AsyncDisposableStack();
  if (!flags.keep) {
    await removeOwned(context, owned);
    cleanUp.defer(() => removeOwned(context, owned));
  }
  const services = await startMeshServices({
    context,
    clock: systemClock,
    note: output.note,
    settings: { 'api.guide': true },
    otherPortsWhereTaken: true,
  });
  cleanUp.defer(() => services.stop());
  narrator.line(
    `Services are up after ${formatDuration(performance.now() - startedMs)}. The page: ${services.run.apiUrl}`,
  );
  const store = await openStore(storeContext(context, services), silentLogger, abort.signal);
  cleanUp.defer(() => store.close());
  const api = createApiClient(services.run.apiUrl, undefined, apiSender(context.config.access));

  await withCollector(context, {}, async (collector) => {
    const peers = demoPeers(flags.peers);
    const reserved = await reservePeerPorts(peers.length);
    cleanUp.defer(() => reserved.release());
    const mesh = new DemoMesh({
      peers,
      directory: peersFolder(dataDir),
      settings: {
        collectorUrl: services.run.collectorUrl,
        collectorPin: services.run.collectorPin,
        heartbeatMs: context.config.agent.heartbeatMs,
        verifyBytesPerSecond,
      },
      capacityBytes: peerCapacityBytes,
      ports: reserved.ports,
      hosts: hostProcesses,
      createToken: async (domains) =>
        (await patiently(abort.signal, () => collector.createToken({ domains: { ...domains } }))).token,
      note: output.note,
    });
    cleanUp.defer(() => mesh.stop());
    const bar = output.progress('   peers started', peers.length);
    await mesh.start(bar.update);
    bar.finish();
    const token = randomBytes(24).toString('base64url');
    const control = await startDemoControl(mesh, token);
    cleanUp.defer(() => control.close());
    await services.extendRunFile({ demo: { url: control.url, token } });
    await patiently(abort.signal, () => allPeersUp(api, peers.length));
    const meshPeers = await patiently(abort.signal, async () =>
      openMeshPeers({ directory: await collector.directory(), api, note: output.note }),
    );
    cleanUp.defer(() => meshPeers.close());
    const leftOut = describeLeftOut(found, limits);
    if (leftOut !== '') narrator.line(leftOut);

    const policy = policyFor(context.config.policies, coding, '');
    const leaseSecret = new Uint8Array(randomBytes(32));
    const summary = await tellStory({
      api,
      control: mesh,
      peers,
      files: found.files,
      graceMs: context.config.analyzer.graceMs,
      narrator,
      clock: systemClock,
      random: seededRandom(seed),
      signal: abort.signal,
      patience: flags.patience,
      put: (file, content) =>
        putFile(
          { sizeBytes: file.sizeBytes, plaintext: content, policy, signal: abort.signal },
          {
            transfer: meshPeers.transfer,
            field: () => meshPeers.field,
            random: Math.random,
            randomBytes: (count) => new Uint8Array(randomBytes(count)),
            leaseSecret,
          },
        ),
      register: async (caps) => {
        for (let from = 0; from < caps.length; from += registeredAtOnce) {
          const files = caps
            .slice(from, from + registeredAtOnce)
            .map((cap) => ({ cap: formatVerifyCap(cap.manifest) }));
          await collector.registerFiles(files);
        }
      },
      prove: async (cap, plaintextSha256, id) => {
        const reading = await meshPeers.reading(cap.manifest.storageIndex);
        const result = await proveFile({ id, cap, plaintextSha256, urgent: true, signal: abort.signal }, reading);
        await store.writer.enqueue(proofs, [proofRow(result, cap.manifest, 'demo', '')]);
        return result;
      },
    });
    await store.writer.flush();
    const durationMs = performance.now() - startedMs;
    output.result({ ...summary, seed, totalMs: Math.round(durationMs) }, () => describe(summary, durationMs));
    if (flags.once) return;
    const where = context.config.dataDir === demoDataDir ? '' : ` --data-dir ${context.config.dataDir}`;
    output.note(
      [
        `\nThe mesh lives on: ${services.run.apiUrl}`,
        ...(services.clickhouse.readerUsername === undefined
          ? []
          : [`What happened to it, as graphs: ${services.run.apiUrl}/dashboards`]),
        'Play with it from another terminal, in this folder:',
        `  npx meshward${where} peers`,
        `  npx meshward${where} peer kill alder-01`,
        'Stop it with Ctrl-C.',
      ].join('\n'),
    );
    await stop;
  });
}

/** On servers that others use too: what is there under names that only this demonstration has. */
async function removeOwned({ config }: Context, owned: OwnedNames): Promise<void> {
  if (owned.topics) await removeTopics(config);
  if (owned.database) await dropDatabase(config);
}

const folderMark = 'demonstration';

/** Begins with an empty folder. @throws MeshwardError `bad-input` where the folder holds what no demonstration has made. */
async function prepareFolder(dataDir: string, keep: boolean): Promise<void> {
  const names: readonly string[] = await readdir(dataDir).catch(() => []);
  if (names.length > 0 && !names.includes(folderMark)) {
    throw new MeshwardError('bad-input', `${dataDir} is no folder of a demonstration, and would be emptied`, {
      next: 'Name a folder that is not there yet with --data-dir, or none: .meshward/demo is used then.',
    });
  }
  if (!keep) await rm(dataDir, { recursive: true, force: true });
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(join(dataDir, folderMark), 'Made by `meshward demo`, which empties this folder when it starts.\n');
}

/** Which files are not stored, and which limit takes more of them; empty where all are. */
export function describeLeftOut({ files, leftOut }: FoundFiles, limits: FileLimits): string {
  const { byCount, byBytes } = leftOut;
  const reasons = [
    ...(byCount > 0 ? [`${byCount} beyond ${limits.maxFiles} files (--max-files)`] : []),
    ...(byBytes > 0 ? [`${byBytes} beyond ${formatBytes(limits.maxTotalBytes)} in all (--max-size)`] : []),
  ];
  if (reasons.length === 0) return '';
  const stored = files.length === 1 ? '1 file is stored' : `${files.length} files are stored`;
  return `${stored}; left out are ${reasons.join(' and ')}.`;
}

/** Peers must have said what room they have before files are put on them. */
async function allPeersUp(api: ApiClient, wanted: number): Promise<void> {
  const { peers } = await api.peers('up');
  const ready = peers.filter(({ freeBytes }) => freeBytes !== null).length;
  if (ready >= wanted) return;
  throw new MeshwardError('service-unavailable', `only ${ready} of ${wanted} peers came up`, {
    next: 'Look into the output above; a loaded machine may need --patience 2.',
    retryable: true,
  });
}

const patienceMs = 60_000;

/** Services may be restarting: what may pass is tried again for a minute. */
async function patiently<T>(signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + patienceMs;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!isRetryable(error) || systemClock.monotonicMs() > deadlineMs) throw error;
      await sleep(systemClock, 200, signal);
    }
  }
}

function storeContext(context: Context, services: MeshServices): Context {
  return {
    ...context,
    config: { ...context.config, clickhouse: { ...context.config.clickhouse, ...services.clickhouse } },
  };
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
