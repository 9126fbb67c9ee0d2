/**
 * Produce (version 7) and Fetch (version 11) as they stand on the wire. Ours, because record batches go through as bytes:
 * the identical batch can be sent again, and what compaction left of a batch still says how far it reached.
 *
 *   Produce => transactional_id nullable-string, acks i16, timeout_ms i32, [topic string, [partition i32, records bytes]]
 *   answer  => [topic string, [partition i32, error i16, base_offset i64, log_append_time i64, log_start_offset i64]],
 *              throttle_ms i32
 *   Fetch   => replica i32, max_wait_ms i32, min_bytes i32, max_bytes i32, isolation i8, session_id i32, session_epoch i32,
 *              [topic string, [partition i32, leader_epoch i32, offset i64, log_start_offset i64, max_bytes i32]],
 *              [forgotten topic string, [partition i32]], rack string
 *   answer  => throttle_ms i32, error i16, session_id i32, [topic string, [partition i32, error i16, high_watermark i64,
 *              last_stable_offset i64, log_start_offset i64, [producer_id i64, first_offset i64], read_replica i32,
 *              records bytes]]
 */
import type {
  FetchAnswer,
  FetchRequest,
  FetchResponse,
  ProduceAnswer,
  ProduceRequest,
  ProduceResponse,
} from './requests.ts';
import type { AbortedTransaction } from './transactions.ts';
import { int16, int32, string } from './wire-values.ts';

/** What kafkajs takes for a request: `buf` and `buffer` are how its own encoder gives its bytes away. */
interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

interface WireProtocol<R> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<Encoded>;
  };
  readonly response: { readonly decode: (raw: Buffer) => Promise<R>; readonly parse: null };
}

export function produceProtocol(body: ProduceRequest): WireProtocol<ProduceResponse & Throttled> {
  return {
    request: {
      apiKey: 0,
      apiVersion: 7,
      apiName: 'Produce',
      encode: () => Promise.resolve(encoded(produceParts(body))),
    },
    response: { decode: (raw) => Promise.resolve(decodeProduce(raw)), parse: null },
  };
}

export function fetchProtocol(body: FetchRequest): WireProtocol<FetchResponse & Throttled> {
  return {
    request: { apiKey: 1, apiVersion: 11, apiName: 'Fetch', encode: () => Promise.resolve(encoded(fetchParts(body))) },
    response: { decode: (raw) => Promise.resolve(decodeFetch(raw)), parse: null },
  };
}

/** Read by kafkajs: no request goes out on the connection before that time is over. */
interface Throttled {
  readonly clientSideThrottleTime: number;
}

function encoded(parts: readonly Buffer[]): Encoded {
  const buffer = Buffer.concat(parts);
  return { buf: buffer, buffer };
}

function produceParts({ timeoutMs, batches }: ProduceRequest): Buffer[] {
  const topics = byTopic(batches);
  const parts = [int16(-1), int16(-1), int32(timeoutMs), int32(topics.size)];
  for (const [topic, ofTopic] of topics) {
    parts.push(string(topic), int32(ofTopic.length));
    for (const { partition, batch } of ofTopic) parts.push(int32(partition), int32(batch.length), batch);
  }
  return parts;
}

function fetchParts({ maxWaitMs, maxBytes, partitions }: FetchRequest): Buffer[] {
  const topics = byTopic(partitions);
  const head = Buffer.alloc(25);
  head.writeInt32BE(-1, 0);
  head.writeInt32BE(maxWaitMs, 4);
  head.writeInt32BE(1, 8);
  head.writeInt32BE(maxBytes, 12);
  // Committed records alone.
  head.writeInt8(1, 16);
  head.writeInt32BE(0, 17);
  head.writeInt32BE(-1, 21);
  const parts = [head, int32(topics.size)];
  for (const [topic, ofTopic] of topics) {
    parts.push(string(topic), int32(ofTopic.length));
    for (const one of ofTopic) {
      const place = Buffer.alloc(28);
      place.writeInt32BE(one.partition, 0);
      place.writeInt32BE(-1, 4);
      place.writeBigInt64BE(BigInt(one.fromOffset), 8);
      place.writeBigInt64BE(-1n, 16);
      place.writeInt32BE(one.maxBytes, 24);
      parts.push(place);
    }
  }
  parts.push(int32(0), string(''));
  return parts;
}

function decodeProduce(raw: Buffer): ProduceResponse & Throttled {
  const reader = new WireReader(raw);
  const answers: ProduceAnswer[] = [];
  reader.each(() => {
    const topic = reader.string();
    reader.each(() => {
      const partition = reader.int32();
      const errorCode = reader.int16();
      const baseOffset = reader.int64();
      reader.skip(16);
      answers.push({ topic, partition, errorCode, baseOffset });
    });
  });
  return { answers, clientSideThrottleTime: reader.int32() };
}

function decodeFetch(raw: Buffer): FetchResponse & Throttled {
  const reader = new WireReader(raw);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  reader.skip(4);
  const answers: FetchAnswer[] = [];
  reader.each(() => {
    const topic = reader.string();
    reader.each(() => {
      const partition = reader.int32();
      const partitionError = reader.int16();
      const highWatermark = reader.int64();
      const stableEnd = reader.int64();
      const firstOffset = reader.int64();
      const aborted: AbortedTransaction[] = [];
      reader.each(() => aborted.push({ producerId: BigInt(reader.int64()), firstOffset: reader.int64() }));
      reader.skip(4);
      const batches = reader.bytes();
      const place = { topic, partition, errorCode: partitionError };
      answers.push({ ...place, highWatermark, stableEnd, firstOffset, aborted, batches });
    });
  });
  return { errorCode, answers, clientSideThrottleTime };
}

class WireReader {
  readonly #raw: Buffer;
  #at = 0;

  constructor(raw: Buffer) {
    this.#raw = raw;
  }

  int16(): number {
    this.#at += 2;
    return this.#raw.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#raw.readInt32BE(this.#at - 4);
  }

  int64(): number {
    this.#at += 8;
    return Number(this.#raw.readBigInt64BE(this.#at - 8));
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  string(): string {
    const end = this.int16() + this.#at;
    const text = this.#raw.toString('utf8', this.#at, end);
    this.#at = end;
    return text;
  }

  bytes(): Buffer {
    const length = Math.max(0, this.int32());
    this.#at += length;
    return this.#raw.subarray(this.#at - length, this.#at);
  }

  each(read: () => void): void {
    for (let left = this.int32(); left > 0; left--) read();
  }
}

function byTopic<T extends { readonly topic: string }>(entries: readonly T[]): Map<string, T[]> {
  return Map.groupBy(entries, ({ topic }) => topic);
}
