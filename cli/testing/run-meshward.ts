/** The real command in a process of its own, as people and scripts run it. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export interface CommandRun {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const mainFile = fileURLToPath(new URL('../main.ts', import.meta.url));

export async function runMeshward(
  args: readonly string[],
  options: {
    readonly stdin?: string;
    readonly cwd?: string;
    readonly environment?: Readonly<Record<string, string>>;
    /** As `head` does that has seen enough: whoever reads the output is gone before it comes. */
    readonly closesOutput?: boolean;
  } = {},
): Promise<CommandRun> {
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MESHWARD_')));
  const env = { ...environment, ...options.environment };
  const child = spawn(process.execPath, [mainFile, ...args], { env, cwd: options.cwd, stdio: 'pipe' });
  if (options.closesOutput === true) child.stdout.destroy();
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const [exitCode, stdout, stderr] = await Promise.all([
    exited,
    options.closesOutput === true ? '' : text(child.stdout),
    text(child.stderr),
  ]);
  return { exitCode, stdout, stderr };
}
