/** Records of the log that cannot be read: kept with the reason, and reading goes on behind them. */

import { create, toBinary } from '@bufbuild/protobuf';
import { type AppendRecord, type LogRecord, type UnreadableBatch } from '#log/port.ts';
import { type Backoff, backoffMs } from '#mesh/backoff.ts';
import { sleep } from '#mesh/clock.ts';
import { describeError, isRetryable, MeshwardError } from '#mesh/errors.ts';
import { EventUnknownError } from '#mesh/events/unknown-events.ts';
import { DeadLetterSchema } from '#mesh/generated/events_pb.js';
import { peerIdBytes } from '#mesh/peer-id.ts';
import type { AnalyzerOptions } from '../options.ts';

const retries: Backoff = { firstMs: 100, longestMs: 5000 };

/**
 * Resolves when the record is kept; waits while the log takes nothing.
 * @param payload whether the bytes go with it: those of a record that may hold a secret must not.
 * @throws what the log throws for good, and the signal's reason.
 */
export async function keepDeadLetter(
  options: AnalyzerOptions,
  record: LogRecord,
  error: unknown,
  payload: 'kept' | 'withheld' = 'kept',
  signal?: AbortSignal,
): Promise<void> {
  const { log, topics, config, clock, logger, metrics } = options;
  const reason = error instanceof MeshwardError ? error.code : 'internal';
  metrics.malformedRecords.add(1, { reason });
  logger.warn(
    { topic: record.topic, partition: record.partition, offset: record.offset, error: describeError(error) },
    reason === 'event-unknown'
      ? 'a newer release is at work: what is not known is kept in the dead letters'
      : 'a record cannot be read; kept in the dead letters',
  );
  const payloadBytes = payload === 'kept' ? config.collector.deadLetterPayloadBytes : 0;
  const letter = deadLetterOf(record, error, clock.nowMs(), payloadBytes);
  for (let attempt = 0; ; attempt++) {
    try {
      await log.append(topics.deadLetters.name, [letter]);
      return;
    } catch (failure) {
      if (!isRetryable(failure)) throw failure;
      logger.warn({ error: describeError(failure), attempt }, 'the log takes no dead letter now; reading waits');
      await sleep(clock, backoffMs(retries, attempt), signal);
    }
  }
}

/** A batch of records as one record: whose they were is not known. */
export function asRecord({ topic, partition, offset, bytes }: UnreadableBatch): LogRecord {
  return { topic, partition, offset, key: null, value: bytes, headers: {}, appendedAtMs: 0 };
}

function deadLetterOf(record: LogRecord, error: unknown, atMs: number, payloadBytes: number): AppendRecord {
  const remainder = error instanceof EventUnknownError ? error.remainder : null;
  const payload = remainder ?? record.value ?? new Uint8Array();
  // Collectors key what a peer said with its id.
  const peerId = record.key?.length === peerIdBytes ? record.key : new Uint8Array();
  return {
    partition: 0,
    key: null,
    value: toBinary(
      DeadLetterSchema,
      create(DeadLetterSchema, {
        reasonCode: error instanceof MeshwardError ? error.code : 'internal',
        reason: describeError(error),
        source: `${record.topic}/${record.partition}@${record.offset}`,
        peerId,
        atMs: BigInt(Math.round(atMs)),
        payload: payload.subarray(0, payloadBytes),
        payloadBytes: BigInt(payload.length),
        contentType: 'application/x-protobuf',
      }),
    ),
  };
}
