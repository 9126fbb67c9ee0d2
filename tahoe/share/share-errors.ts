import { type ErrorCode, MeshwardError } from '#mesh/errors.ts';

/** What can be wrong with one share; anything else (a dead peer, a bad call) has its own codes. */
export type ShareErrorCode = Extract<
  ErrorCode,
  'share-malformed' | 'share-truncated' | 'share-foreign' | 'share-corrupt' | 'share-mismatch'
>;

const nextSteps: Record<ShareErrorCode, string> = {
  'share-malformed':
    'This is not a share that Tahoe-LAFS writes: move it out of the share folder and let repair restore it.',
  'share-truncated':
    'The share is cut short: let repair replace it, and look at the disk or the upload that left it so.',
  'share-foreign': 'Only immutable (CHK) shares are checked and repaired here; this one is left alone.',
  'share-corrupt': 'The share does not match its hashes: let repair replace it, and look at the health of the disk.',
  'share-mismatch':
    'The share belongs elsewhere: check the folder and number it is stored under, or the cap that was given.',
};

export function shareError(
  code: ShareErrorCode,
  message: string,
  options: { cause?: unknown; details?: Record<string, unknown> } = {},
): MeshwardError {
  return new MeshwardError(code, message, { next: nextSteps[code], ...options });
}

/** Whether the error says that the share itself is bad, and not that it could not be reached or asked for. */
export function isShareError(error: unknown): error is MeshwardError & { readonly code: ShareErrorCode } {
  return error instanceof MeshwardError && Object.hasOwn(nextSteps, error.code);
}

/**
 * Turns a failed file operation into an error of the catalogue. A medium error is a corrupt share; a missing file,
 * a refused one or a lack of descriptors says nothing about the share.
 */
export function fileError(error: unknown, doing: string): unknown {
  if (error instanceof MeshwardError || !(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  if (code === 'EIO' || code === 'EUCLEAN' || code === 'EILSEQ') {
    return shareError('share-corrupt', `${doing}: the disk could not read it (${code})`, { cause: error });
  }
  if (code === 'EMFILE' || code === 'ENFILE' || code === 'EAGAIN') {
    return new MeshwardError('service-busy', `${doing}: too many open files (${code})`, {
      next: 'Raise the limit of open files (ulimit -n) or lower the concurrency.',
      retryable: true,
      cause: error,
    });
  }
  return new MeshwardError('bad-input', `${doing}: ${error.message}`, {
    next: 'Check that the path exists and that this user may read and write it, and that the disk has room.',
    cause: error,
  });
}
