/** What both logs say in the same words. */
import { MeshwardError } from '#mesh/errors.ts';

export function closedError(): MeshwardError {
  return new MeshwardError('log-closed', 'the log is closed', {
    next: 'Open it again; nothing that was acknowledged is lost.',
  });
}

export function badInput(message: string, next: string): MeshwardError {
  return new MeshwardError('bad-input', message, { next });
}

export function beyondEndError(topic: string, partition: number, offset: number, nextOffset: number): MeshwardError {
  return new MeshwardError(
    'log-truncated',
    `${topic}/${partition} ends at offset ${nextOffset}, before the offset ${offset} to start from`,
    {
      next: 'The topic was started anew or restored from an older copy: rebuild from its first record, or restore the newer copy.',
      details: { topic, partition, offset, nextOffset },
    },
  );
}

export function truncatedError(
  topic: string,
  partition: number,
  fromOffset: number,
  firstOffset: number,
): MeshwardError {
  return new MeshwardError(
    'log-truncated',
    `${topic}/${partition} begins at offset ${firstOffset}; retention took what was from ${fromOffset} on`,
    {
      next: 'Rebuild from a checkpoint at or after the first kept offset, and raise the retention above the longest stop of a consumer.',
      details: { topic, partition, fromOffset, firstOffset },
    },
  );
}
