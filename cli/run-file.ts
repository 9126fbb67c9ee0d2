/** `run.json` in the data directory: where the services of this machine listen, for commands that want to talk to them. */
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshwardError } from '#mesh/errors.ts';
import { type Context, foldersOf } from './context.ts';

export interface RunFile {
  readonly pid: number;
  readonly startedAtMs: number;
  readonly apiUrl: string;
  readonly collectorUrl: string;
  readonly collectorPin: string;
  readonly collectorOpsUrl: string;
  readonly repairerUrl: string;
  readonly clickhouseUrl: string;
  /** Settings by which this run reaches servers that it has not started, as they were given to it. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Control of the demonstration mesh, where one runs. */
  readonly demo?: { readonly url: string; readonly token: string };
}

export async function writeRunFile(path: string, run: RunFile): Promise<void> {
  const beside = `${path}.${process.pid}.tmp`;
  await writeFile(beside, `${JSON.stringify(run, null, 2)}\n`, { mode: 0o600 });
  await chmod(beside, 0o600);
  await rename(beside, path);
}

export async function removeRunFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Null where nothing runs with this data directory. */
export async function findRunFile(path: string): Promise<RunFile | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    return null;
  }
  const run = parseRunFile(text);
  return run !== null && isRunning(run.pid) ? run : null;
}

/** @throws MeshwardError `service-unavailable` where nothing runs. */
export async function readRunFile(path: string): Promise<RunFile> {
  const run = await findRunFile(path);
  if (run !== null) return run;
  throw new MeshwardError('service-unavailable', `no mesh runs with the data directory ${dirname(path)}`, {
    next: 'Start one with `npm start` or `meshward up`, or name its data directory with --data-dir.',
    retryable: true,
  });
}

/** Null for what no run has written: a file that was damaged, or is somebody else's. */
function parseRunFile(text: string): RunFile | null {
  try {
    const run: unknown = JSON.parse(text);
    const hasPid = typeof run === 'object' && run !== null && 'pid' in run && Number.isInteger(run.pid);
    return hasPid ? (run as RunFile) : null;
  } catch {
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** @throws MeshwardError `config-invalid` where services run with this data directory already. */
export async function refuseSecondRun(context: Pick<Context, 'dataDir' | 'config'>): Promise<void> {
  const run = await findRunFile(foldersOf(context.dataDir, context.config).runFile);
  if (run === null) return;
  throw new MeshwardError(
    'config-invalid',
    `services run with the data directory ${context.dataDir} already (process ${run.pid})`,
    {
      next: `Look at ${run.apiUrl}, stop that process, or name another directory with --data-dir.`,
    },
  );
}
