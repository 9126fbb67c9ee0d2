import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MeshwardError } from '#mesh/errors.ts';
import { code } from './faults.ts';
import { Lane, type LaneBatch, type LanePart } from './lane.ts';

const textOf = (value: Uint8Array | null): string => Buffer.from(value ?? []).toString();

interface Outcome {
  readonly offsets: number[];
  error: MeshwardError | null;
}

function part(values: readonly string[], giveUpAtMs = Number.POSITIVE_INFINITY): LanePart & { outcome: Outcome } {
  const outcome: Outcome = { offsets: [], error: null };
  return {
    outcome,
    records: values.map((value) => ({ partition: 0, key: null, value: Buffer.from(value) })),
    giveUpAtMs,
    isAbandoned: () => false,
    written: (from, count, offset) => {
      for (let i = 0; i < count; i++) outcome.offsets[from + i] = offset + i;
    },
    failed: (error) => {
      outcome.error ??= error;
    },
  };
}

/** A partition as a broker keeps it: what it knows of each producer decides what it takes. */
class Partition {
  readonly records: string[] = [];
  readonly #producers = new Map<
    bigint,
    { nextSequence: number; batches: { firstSequence: number; offset: number }[] }
  >();

  produce(batch: LaneBatch): { errorCode: number; baseOffset: number } {
    const known = this.#producers.get(batch.identity.producerId);
    const again = known?.batches.find((one) => one.firstSequence === batch.firstSequence);
    if (again !== undefined) return { errorCode: code.none, baseOffset: again.offset };
    if (known !== undefined && known.nextSequence !== batch.firstSequence)
      return { errorCode: code.outOfOrderSequence, baseOffset: -1 };
    const offset = this.records.length;
    this.records.push(...batch.records.map((record) => textOf(record.value)));
    const batches = [...(known?.batches ?? []), { firstSequence: batch.firstSequence, offset }].slice(-5);
    this.#producers.set(batch.identity.producerId, {
      nextSequence: batch.firstSequence + batch.records.length,
      batches,
    });
    return { errorCode: code.none, baseOffset: offset };
  }
}

const now = (): number => 0;

function identifiedLane(maxBatchBytes = 1000): Lane {
  const lane = new Lane('t', 0, maxBatchBytes);
  lane.identify({ producerId: 1n, producerEpoch: 0 });
  return lane;
}

describe('a lane', () => {
  const fault = fc.constantFrom(
    'none',
    'lost before',
    'lost after',
    'not leader',
    'timed out after',
    'not enough before',
  );

  test('writes each record once and in order, whatever gets lost on the way, while it is not given up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 }), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.array(fault, { maxLength: 40 }),
        (shapes, faults) => {
          const lane = identifiedLane(200);
          const broker = new Partition();
          const parts = shapes.map((sizes, i) => part(sizes.map((size, j) => `${i}/${j}/${'x'.repeat(size)}`)));
          const script = [...faults];
          for (const [i, one] of parts.entries()) {
            lane.add(one);
            if (i % 3 === 0) sendOnce(lane, broker, script.shift() ?? 'none');
          }
          for (let steps = 0; !lane.isEmpty && steps < 500; steps++) sendOnce(lane, broker, script.shift() ?? 'none');
          expect(broker.records).toEqual(parts.flatMap((one) => one.records.map((record) => textOf(record.value))));
          for (const { outcome, records } of parts) {
            expect(outcome.error).toBeNull();
            expect(outcome.offsets.map((offset) => broker.records[offset])).toEqual(
              records.map(({ value }) => textOf(value)),
            );
          }
        },
      ),
    );
  });

  function sendOnce(lane: Lane, broker: Partition, what: string): void {
    const batch = lane.take(1);
    if (batch === null) return;
    switch (what) {
      case 'lost before':
        return lane.unanswered(true, now);
      case 'lost after':
        broker.produce(batch);
        return lane.unanswered(true, now);
      case 'not leader':
        expect(lane.answered(code.notLeader, -1, now)).toBe('again');
        return;
      case 'timed out after':
        broker.produce(batch);
        expect(lane.answered(code.requestTimedOut, -1, now)).toBe('again');
        return;
      case 'not enough before':
        expect(lane.answered(code.notEnoughReplicas, -1, now)).toBe('again');
        return;
      default: {
        const { errorCode, baseOffset } = broker.produce(batch);
        expect(lane.answered(errorCode, baseOffset, now)).toBe('done');
      }
    }
  }

  test('has one batch out at a time, and sends the identical one again', () => {
    const lane = identifiedLane();
    lane.add(part(['a']));
    const first = lane.take(1) as LaneBatch;
    lane.add(part(['b']));
    expect(lane.take(1)).toBeNull();
    lane.unanswered(true, () => 50);
    expect(lane.take(49)).toBeNull();
    expect(lane.take(50)).toBe(first);
    expect(first.records.map(({ value }) => textOf(value))).toEqual(['a']);
    lane.answered(code.none, 0, now);
    expect(lane.take(60)).toMatchObject({ firstSequence: 1, tries: 1 });
  });

  test('goes on under another producer id after a batch of unknown outcome was given up', () => {
    const lane = identifiedLane();
    const given = part(['a'], 100);
    lane.add(given);
    lane.take(1);
    lane.unanswered(true, () => 2);
    lane.expire(99, 'no leader');
    expect(given.outcome.error).toBeNull();
    lane.expire(100, 'no leader');
    expect(given.outcome.error).toMatchObject({ code: 'log-unavailable', retryable: true });
    lane.add(part(['b']));
    expect(lane.take(101)).toBeNull();
    expect(lane.wantsIdentity?.refused?.producerId).toBe(1n);
    lane.identify({ producerId: 2n, producerEpoch: 0 });
    expect(lane.take(101)).toMatchObject({ firstSequence: 0, identity: { producerId: 2n } });
  });

  test('keeps its producer id and sequence after a batch that was refused for good at once', () => {
    const lane = identifiedLane();
    const refused = part(['a']);
    lane.add(refused);
    lane.take(1);
    expect(lane.answered(code.topicAuthorizationFailed, -1, now)).toBe('done');
    expect(refused.outcome.error).toMatchObject({ code: 'log-forbidden', retryable: false });
    lane.add(part(['b']));
    expect(lane.take(1)).toMatchObject({ firstSequence: 0, identity: { producerId: 1n } });
  });

  test.each([code.outOfOrderSequence, code.unknownProducerId, code.invalidProducerEpoch, code.producerFenced])(
    'sends a batch under a new producer id where the broker does not know the old one (error %i)',
    (errorCode) => {
      const lane = identifiedLane();
      const one = part(['a', 'b']);
      lane.add(one);
      const first = lane.take(1) as LaneBatch;
      first.encoded = Buffer.from('old');
      expect(lane.answered(errorCode, -1, now)).toBe('renamed');
      expect(lane.take(1)).toBeNull();
      lane.identify({ producerId: 9n, producerEpoch: 0 });
      expect(lane.take(1)).toMatchObject({ firstSequence: 0, encoded: null, identity: { producerId: 9n } });
      lane.answered(code.none, 7, now);
      expect(one.outcome.offsets).toEqual([7, 8]);
      lane.add(part(['c']));
      expect(lane.take(1)).toMatchObject({ firstSequence: 2 });
    },
  );

  test('splits what is too large for the topic, and refuses the record that alone is', () => {
    const lane = identifiedLane(10_000);
    const broker = new Partition();
    const small = part(['a'.repeat(100), 'b'.repeat(100)]);
    const large = part(['c'.repeat(900)]);
    const after = part(['d']);
    for (const one of [small, large, after]) lane.add(one);
    for (let steps = 0; !lane.isEmpty && steps < 50; steps++) {
      const batch = lane.take(1) as LaneBatch;
      if (batch.sizeBytes > 500) lane.answered(code.messageTooLarge, -1, now);
      else {
        const { errorCode, baseOffset } = broker.produce(batch);
        lane.answered(errorCode, baseOffset, now);
      }
    }
    expect(broker.records.map((text) => text[0])).toEqual(['a', 'b', 'd']);
    expect(large.outcome.error).toMatchObject({ code: 'bad-input' });
    expect(small.outcome.error).toBeNull();
  });

  test('counts sequences round at 31 bits', () => {
    const lane = identifiedLane(2 ** 20);
    const many = part(Array.from({ length: 10 }, (_, i) => String(i)));
    lane.add(many);
    const batch = lane.take(1) as LaneBatch;
    Object.assign(batch, { firstSequence: 2 ** 31 - 5 });
    lane.answered(code.none, 0, now);
    lane.add(part(['x']));
    expect(lane.take(1)).toMatchObject({ firstSequence: 5 });
  });

  test('says so where a batch is there and its place is not known: written is not lost', () => {
    const lane = identifiedLane();
    const one = part(['a']);
    lane.add(one);
    lane.take(1);
    expect(lane.answered(code.duplicateSequence, -1, now)).toBe('done');
    expect(one.outcome.error).toMatchObject({ code: 'log-unavailable', retryable: true });
    lane.add(part(['b']));
    expect(lane.take(1)).toMatchObject({ firstSequence: 1 });
  });

  test('sends nothing more of an append of which another part has failed', () => {
    const lane = identifiedLane();
    lane.add({ ...part(['a']), isAbandoned: () => true });
    expect(lane.take(1)).toBeNull();
    expect(lane.isEmpty).toBe(true);
  });
});
