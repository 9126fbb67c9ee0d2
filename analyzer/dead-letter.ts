/** Records of the log that cannot be read: kept with the reason, and reading goes on behind them. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { AppendRecord, LogRecord } from '#collector/log/port.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { DeadLetterSchema } from '#mesh/generated/events_pb.js';
import type { AnalyzerOptions } from './options.ts';

export async function keepDeadLetter(options: AnalyzerOptions, record: LogRecord, error: unknown): Promise<void> {
  const { log, topics, config, clock, logger, metrics } = options;
  metrics.malformedRecords.add(1);
  logger.warn(
    { topic: record.topic, partition: record.partition, offset: record.offset, error: describeError(error) },
    'a record cannot be read; kept in the dead letters',
  );
  await log.append(topics.deadLetters.name, [
    deadLetterOf(record, error, clock.nowMs(), config.collector.deadLetterPayloadBytes),
  ]);
}

function deadLetterOf(record: LogRecord, error: unknown, atMs: number, payloadBytes: number): AppendRecord {
  const payload = record.value ?? new Uint8Array();
  return {
    partition: 0,
    key: null,
    value: toBinary(
      DeadLetterSchema,
      create(DeadLetterSchema, {
        reasonCode: error instanceof MeshwardError ? error.code : 'internal',
        reason: describeError(error),
        source: `${record.topic}/${record.partition}@${record.offset}`,
        atMs: BigInt(Math.round(atMs)),
        payload: payload.subarray(0, payloadBytes),
        payloadBytes: BigInt(payload.length),
        contentType: 'application/x-protobuf',
      }),
    ),
  };
}
