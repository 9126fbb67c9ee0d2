/** Which process a group member lives in, so that its end is seen at once instead of after its session timeout. */
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  /** The running system and process namespace that `pid` counts in: another container's pids say nothing here. */
  readonly scope: string;
  readonly pid: number;
  /** When the process started, in the system's own ticks; a pid is used again, this pair is not. Empty where unknown. */
  readonly startedAt: string;
}

export function ownIdentity(): ProcessIdentity {
  return { scope: ownScope(), pid: process.pid, startedAt: processStart(process.pid) ?? '' };
}

/** Whether the process is known to be gone. False where it cannot be known: then the session timeout decides. */
export function isGone(identity: ProcessIdentity, own: ProcessIdentity): boolean {
  if (identity.scope !== own.scope) return false;
  if (identity.startedAt !== '') return processStart(identity.pid) !== identity.startedAt;
  try {
    process.kill(identity.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function ownScope(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return process.platform === 'linux' ? `unknown ${process.pid}` : process.platform;
  }
}

/** Field 22 of /proc/PID/stat (proc(5)), or null where there is no such living process. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may hold anything, so fields are counted after its last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    return state === 'Z' || state === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}
