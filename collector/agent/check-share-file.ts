/** The real {@link CheckShare}: every block and hash of the share in a file, by what its UEB states. */

import { isAbsent } from '#mesh/durable-file.ts';
import { verifyShareFile } from '#tahoe/share/verify.ts';
import type { CheckShare } from './ports.ts';

export const checkShareFile: CheckShare = async ({ path, storageIndex, shareNumber }, paid, signal) => {
  try {
    const { manifest } = await verifyShareFile(path, { storageIndex, shareNumber, signal, onRead: paid });
    return { manifest };
  } catch (error) {
    if (isAbsent(error) || isAbsent(error instanceof Error ? error.cause : undefined)) return null;
    throw error;
  }
};
