/** What the operating system says no with, in words and with a code: a full disk or a folder of somebody else is no defect. */
import { getSystemErrorMessage } from 'node:util';
import { MeshwardError } from '#mesh/errors.ts';
import { redactCaps } from '#mesh/redact.ts';

const advice: Readonly<Record<string, string>> = {
  ENOSPC: 'Free space on that disk (`df -h` shows which is full), or name a folder on another one.',
  EDQUOT: 'This user may take no more of that disk: free some of it, or have the quota raised.',
  EACCES: 'Run as the user that owns it, or give this user the right.',
  EPERM: 'Run as the user that owns it, or give this user the right.',
  EROFS: 'Name a folder that can be written.',
  ENOENT: 'Check the path.',
  ENOTDIR: 'Name a folder where one is wanted.',
  EISDIR: 'Name a file where one is wanted.',
  EMFILE: 'Let this process open more files (ulimit -n).',
  ENFILE: 'This machine has too many open files: stop what needs them.',
  EADDRINUSE: 'Another program listens there: stop it, or choose another port.',
  EADDRNOTAVAIL: 'Name an address of this machine.',
};

interface SystemError extends Error {
  readonly errno: number;
  readonly code: string;
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
}

/** What is wrong with the whole machine: a person knows where to look without a path, and it may pass. */
const exhausted = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'];

/** The error itself where it is none of the system's, or names nothing that a person could look at. */
export function inWords(error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const next = advice[error.code];
  const place = error.path ?? (error.address === undefined ? undefined : `${error.address}:${error.port ?? ''}`);
  const retryable = exhausted.includes(error.code);
  if (next === undefined || (place === undefined && !retryable)) return error;
  const where = place === undefined ? '' : `${redactCaps(place)}: `;
  return new MeshwardError('config-invalid', `${where}${getSystemErrorMessage(error.errno)} (${error.code})`, {
    next,
    retryable,
  });
}

function isSystemError(error: unknown): error is SystemError {
  return (
    error instanceof Error &&
    !(error instanceof MeshwardError) &&
    'errno' in error &&
    typeof error.errno === 'number' &&
    'code' in error &&
    typeof error.code === 'string'
  );
}
