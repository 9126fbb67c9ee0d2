/** What is done about a batch that cannot be read, whoever reads it: it is counted and told, and reading goes on behind it. */
import { describeError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { UnreadableBatch } from '../port.ts';

export function passOver(
  { counts, logger }: { readonly counts: { unreadableBatches: number }; readonly logger: Logger },
  { topic, partition, offset, nextOffset, error }: UnreadableBatch,
): void {
  counts.unreadableBatches++;
  logger.error(
    { topic, partition, offset, nextOffset, error: describeError(error), next: error.next },
    'records of the log cannot be read and are passed over',
  );
}
