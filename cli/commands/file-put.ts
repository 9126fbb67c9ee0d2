/** `meshward put`: encrypts files and spreads their shares over the mesh. */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { appendFile, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import type { CollectorClient } from '#collector/gateway/client.ts';
import { formatCap, formatVerifyCap } from '#mesh/caps.ts';
import { type Coding, parseCoding } from '#mesh/coding.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { maxTextLength } from '#mesh/limits.ts';
import type { Policy } from '#mesh/policy.ts';
import { redactCaps } from '#mesh/redact.ts';
import type { UploadBuffers } from '#repairer/repair/upload-buffers.ts';
import { type ByteProgress, showByteProgress } from '../byte-progress.ts';
import { describeUse } from '../command-help.ts';
import { type Context, runningContextOf } from '../context.ts';
import { interruptible } from '../interrupt.ts';
import {
  type ApiFlags,
  addApiOption,
  addCollectorOptions,
  type CollectorFlags,
  findApi,
  withCollector,
} from '../mesh-address.ts';
import type { MeshPeers } from '../mesh-peers.ts';
import { formatBytes } from '../output.ts';
import { choosePolicy, usualCoding } from '../put-coding.ts';
import { parseCount } from '../quantities.ts';
import { openLeaseSecret } from '../service-keys.ts';

interface PutFlags extends ApiFlags, CollectorFlags {
  readonly coding?: string;
  readonly tag: string;
  readonly happy?: string;
  readonly caps?: string;
}

interface FileToPut {
  readonly path: string;
  readonly name: string;
  readonly sizeBytes: number;
}

export interface PutReport {
  readonly name: string;
  readonly sizeBytes: number;
  /** A secret; left out where it went into the file of --caps. */
  readonly cap?: string;
  readonly kind: 'stored' | 'literal';
  readonly storageIndex?: string;
  readonly verifyCap?: string;
  readonly sharesPlaced?: number;
  readonly sharesUnplaced?: number;
  readonly bytesWritten?: number;
}

export function addPutCommand(program: Command): Command {
  const command = program
    .command('put')
    .argument('<file...>', 'files to store')
    .description('store files on the mesh and print their caps: whoever has a cap can read its file, and nobody else')
    .option(
      '--coding <k-of-n>',
      'how many shares give the file back, of how many that are made; by default 25-of-100, or what fits the peers that take shares',
    )
    .option('--tag <tag>', 'kept with the file; policies can name it', '')
    .option('--happy <n>', 'fewest shares that must be placed; by default where the policy would repair')
    .option('--caps <file>', 'append the caps to this file (mode 0600) and print none of them');
  describeUse(addApiOption(addCollectorOptions(command)), {
    examples: ['meshward put report.pdf', 'meshward put --coding 3-of-10 --tag photos --caps photos.caps *.jpg'],
    exits: {
      4: 'a service is away, or there were not enough peers: what was stored so far is printed',
      6: 'the key in this data directory is not an operator of the mesh',
      130: 'interrupted',
    },
    notes: [
      'Keep the caps: they are the only way to read the files, and Meshward keeps none of them.',
      'A file of at most 55 bytes becomes a literal cap, which holds the file itself: nothing is stored.',
    ],
  });
  return command.action((paths: string[], flags: PutFlags, command: Command) =>
    put(runningContextOf(command), paths, flags),
  );
}

async function put(context: Context, paths: readonly string[], flags: PutFlags): Promise<void> {
  const coding = flags.coding === undefined ? undefined : parseCoding(flags.coding);
  const happy = flags.happy === undefined ? undefined : parseHappy(flags.happy, coding);
  checkTag(flags.tag);
  await refuseUnwritable(flags.caps);
  const files = await Promise.all(paths.map(lookAt));
  const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  /** By the file's place; some may fail. */
  const reports: (PutReport | undefined)[] = Array.from(files, () => undefined);
  try {
    await interruptible((signal) =>
      withCollector(context, flags, async (collector) => {
        const mesh = await openMesh(context, flags, collector);
        const policy = policyOn(mesh, context, flags.tag, coding, happy);
        const progress = showByteProgress(context.output, 'storing bytes', totalBytes);
        try {
          const leaseSecret = await openLeaseSecret(context, 'operatorKey');
          const { UploadBuffers } = await import('#repairer/repair/upload-buffers.ts');
          const { putBuffersBytes } = await import('#repairer/files/put.ts');
          const uploadBuffers = new UploadBuffers(putBuffersBytes);
          await someAtOnce(files, async (file, at) => {
            const report = await putOne(file, {
              mesh,
              collector,
              policy,
              happy,
              leaseSecret,
              uploadBuffers,
              tag: flags.tag,
              signal,
              progress,
            });
            const { registration, ...stored } = report;
            // It is stored, and can be read with its cap alone: where that cannot be kept, it is printed after all.
            reports[at] = stored;
            reports[at] = await keepCap(stored, flags.caps);
            if (registration !== null) throw registration;
          });
        } finally {
          progress.end();
          await mesh.close();
        }
      }),
    );
  } finally {
    // What was stored before a failure can be read only with the caps that stand here.
    const stored = reports.filter((report) => report !== undefined);
    if (stored.length > 0) context.output.result({ files: stored }, () => describePut(stored, flags.caps));
  }
}

/** One file waits for its peers while another is encoded. */
const filesAtOnce = 4;

/** After a failure no further file is begun; those under way come to their end. @throws what failed first */
async function someAtOnce(
  files: readonly FileToPut[],
  put: (file: FileToPut, at: number) => Promise<void>,
): Promise<void> {
  const waiting = [...files.entries()];
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && failures.length === 0; next = waiting.shift()) {
      const [at, file] = next;
      await put(file, at).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: filesAtOnce }, lane));
  if (failures.length > 0) throw failures[0];
}

interface PutWork {
  readonly mesh: MeshPeers;
  readonly collector: CollectorClient;
  readonly policy: Policy;
  readonly happy: number | undefined;
  readonly leaseSecret: Uint8Array;
  readonly uploadBuffers: UploadBuffers;
  readonly tag: string;
  readonly signal: AbortSignal;
  readonly progress: ByteProgress;
}

/** `registration` is why the owner's registration failed: the file is stored all the same, and its cap must not be lost. */
async function putOne(
  file: FileToPut,
  { mesh, collector, policy, happy, leaseSecret, uploadBuffers, tag, signal, progress }: PutWork,
): Promise<PutReport & { readonly registration: MeshwardError | null }> {
  const { putFile } = await import('#repairer/files/put.ts');
  const result = await putFile(
    { sizeBytes: file.sizeBytes, plaintext: countedStream(file.path, progress), policy, happy, signal },
    {
      transfer: mesh.transfer,
      field: () => mesh.field,
      random: Math.random,
      randomBytes: (count) => new Uint8Array(randomBytes(count)),
      leaseSecret,
      uploadBuffers,
    },
  );
  const { name, sizeBytes } = file;
  if (result.kind === 'literal')
    return { name, sizeBytes, cap: formatCap(result.cap), kind: 'literal', registration: null };
  const verifyCap = formatVerifyCap(result.verifyCap.manifest);
  const registration = await collector
    .registerFiles([{ cap: verifyCap, ...(tag === '' ? {} : { tag }) }])
    .then(() => null, notRegistered);
  return {
    name,
    sizeBytes,
    cap: formatCap(result.readCap),
    kind: 'stored',
    storageIndex: result.verifyCap.manifest.storageIndex,
    verifyCap,
    sharesPlaced: result.placements.length,
    sharesUnplaced: result.unplaced.length,
    bytesWritten: result.bytesWritten,
    registration,
  };
}

function notRegistered(cause: unknown): MeshwardError {
  return new MeshwardError('service-unavailable', 'the file is stored, but the collector did not register it', {
    next: 'Keep the cap. The file is known to the mesh once its peers report its shares; store it again to have it watched as yours.',
    cause,
    retryable: true,
  });
}

async function openMesh(context: Context, flags: PutFlags, collector: CollectorClient): Promise<MeshPeers> {
  const note = (line: string): void => context.output.note(line);
  const api = await findApi(context, flags).catch((error: unknown) => {
    note(`no analyzer is known (${describeError(error)}): every enrolled peer counts as up`);
    return null;
  });
  const { openMeshPeers } = await import('../mesh-peers.ts');
  const mesh = await openMeshPeers({ directory: await collector.directory(), api, note });
  if (mesh.field.peers.length > 0) return mesh;
  await mesh.close();
  throw new MeshwardError('repair-no-target', `none of the ${mesh.count} enrolled peers takes shares at the moment`, {
    next: 'Look at `meshward peers`; add a peer with the command that `meshward token` prints.',
    retryable: true,
  });
}

function policyOn(
  mesh: MeshPeers,
  { config, output }: Context,
  tag: string,
  coding: Coding | undefined,
  happy: number | undefined,
): Policy {
  const { policy, note } = choosePolicy(config.policies, tag, coding, mesh.field.peers.length, happy);
  if (note !== '') output.note(note);
  if (happy === undefined || happy <= policy.n) return policy;
  throw new MeshwardError('repair-no-target', `--happy wants ${happy} shares, and ${policy.n} are made`, {
    next: 'Add peers, or accept fewer shares.',
    retryable: true,
  });
}

function parseHappy(text: string, coding: Coding | undefined): number {
  return parseCount(text, '--happy', coding?.k ?? 1, (coding ?? usualCoding).n);
}

/** Before anything is stored: a cap that can be kept nowhere is a file lost. @throws MeshwardError `bad-input`. */
async function refuseUnwritable(path: string | undefined): Promise<void> {
  if (path === undefined) return;
  try {
    await (await open(path, 'a', 0o600)).close();
  } catch (error) {
    throw new MeshwardError('bad-input', `the caps cannot be kept in ${redactCaps(path)}: ${describeError(error)}`, {
      next: 'Name a file that this user can write with --caps.',
    });
  }
}

async function keepCap(report: PutReport, path: string | undefined): Promise<PutReport> {
  if (path === undefined) return report;
  const { cap, ...rest } = report;
  await appendFile(path, `${cap}  ${report.name}\n`, { mode: 0o600, flush: true });
  return rest;
}

async function lookAt(path: string): Promise<FileToPut> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new Error('it is not a file');
    return { path, name: basename(path), sizeBytes: found.size };
  } catch (error) {
    throw new MeshwardError('bad-input', `cannot store ${redactCaps(path)}: ${redactCaps(describeError(error))}`, {
      next: 'Give regular files that this user can read.',
    });
  }
}

async function* countedStream(path: string, progress: ByteProgress): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    yield chunk as Uint8Array;
    progress.add((chunk as Uint8Array).length);
  }
}

function checkTag(tag: string): string {
  if (tag.length <= maxTextLength && !/\p{Cc}/u.test(tag)) return tag;
  throw new MeshwardError('bad-input', 'this tag cannot be kept', {
    next: `Choose a tag of at most ${maxTextLength} plain characters.`,
  });
}

export function describePut(reports: readonly PutReport[], capsFile: string | undefined): string {
  const lines = reports.map((report) => {
    const facts =
      report.kind === 'literal'
        ? 'literal: the cap holds the file itself'
        : `${formatBytes(report.sizeBytes)}, ${report.sharesPlaced} shares placed${report.sharesUnplaced === 0 ? '' : `, ${report.sharesUnplaced} found no peer`}`;
    return report.cap === undefined
      ? `${report.storageIndex ?? 'literal'}  ${report.name}  (${facts})`
      : `${report.cap}  ${report.name}  (${facts})`;
  });
  return capsFile === undefined ? lines.join('\n') : [...lines, `The caps stand in ${capsFile}.`].join('\n');
}
