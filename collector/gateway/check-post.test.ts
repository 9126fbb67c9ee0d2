import { create, type MessageInitShape, toBinary, toJsonString } from '@bufbuild/protobuf';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode, MeshwardError } from '#mesh/errors.ts';
import { AgentPostSchema, InventoryPhase, ManifestOrigin, type ShareBatchSchema } from '#mesh/generated/events_pb.js';
import { maxEventsPerBatch, maxManifestsPerBatch } from '#mesh/limits.ts';
import { checkPost } from './check-post.ts';
import { maxPeerEventBytes, readPost } from './read-post.ts';

const peerId = new Uint8Array(32).fill(1);
type BatchInit = Exclude<MessageInitShape<typeof ShareBatchSchema>, { $typeName: string }>;

function batch(change: BatchInit = {}) {
  return create(AgentPostSchema, {
    body: { case: 'batch', value: { peerId, incarnation: 1n, sequence: 1n, ...change } },
  });
}

type EventInit = Extract<
  NonNullable<Exclude<MessageInitShape<typeof AgentPostSchema>, { $typeName: string }>['body']>,
  { case: 'event' }
>['value'];

function event(change: EventInit) {
  return create(AgentPostSchema, {
    body: { case: 'event', value: { peerId, incarnation: 1n, sequence: 1n, ...change } as EventInit },
  });
}

const manifest = { storageIndex: new Uint8Array(16), uebHash: new Uint8Array(32), k: 3, n: 10, sizeBytes: 100n };
const columns = (count: number, kind = 1) => ({
  storageIndexes: new Uint8Array(16 * count),
  shareNumbers: new Uint8Array(count),
  kinds: new Uint8Array(count).fill(kind),
});

describe('what is malformed is refused', () => {
  test.each([
    ['no body', create(AgentPostSchema)],
    ['a short peer id', batch({ peerId: new Uint8Array(31) })],
    ['incarnation 0', batch({ incarnation: 0n })],
    ['sequence 0', batch({ sequence: 0n })],
    ['a sequence beyond 2^53', batch({ sequence: 1n << 53n })],
    ['a time beyond calendars', batch({ observedAtMs: 1n << 63n })],
    ['storage indexes of another length', batch({ ...columns(2), storageIndexes: new Uint8Array(31) })],
    ['share numbers of another length', batch({ ...columns(2), shareNumbers: new Uint8Array(1) })],
    ['kinds of another length', batch({ ...columns(2), kinds: new Uint8Array([1]) })],
    ['kind 0', batch(columns(1, 0))],
    ['too many events', batch(columns(maxEventsPerBatch + 1))],
    ['deleted files of a peer', batch({ deletedFiles: new Uint8Array(16) })],
    ['too many manifests', batch({ manifests: Array.from({ length: maxManifestsPerBatch + 1 }, () => manifest) })],
    ['k above n', batch({ manifests: [{ ...manifest, k: 11 }] })],
    ['k 0', batch({ manifests: [{ ...manifest, k: 0 }] })],
    ['n 257', batch({ manifests: [{ ...manifest, n: 257 }] })],
    ['a short UEB hash', batch({ manifests: [{ ...manifest, uebHash: new Uint8Array(31) }] })],
    ['a short storage index', batch({ manifests: [{ ...manifest, storageIndex: new Uint8Array(15) }] })],
    ['a long tag', batch({ manifests: [{ ...manifest, tag: 'x'.repeat(201) }] })],
    ['an inventory without phase', batch({ inventory: { phase: InventoryPhase.UNSPECIFIED, generation: 1 } })],
    ['inventory generation 0', batch({ inventory: { phase: InventoryPhase.BEGIN, generation: 0 } })],
    ['an event that says nothing', event({})],
    ['a long name', event({ body: { case: 'announce', value: { name: 'x'.repeat(201) } } })],
    ['a name that moves the cursor', event({ body: { case: 'announce', value: { name: 'a\u001b[2J' } } })],
    ['a port beyond 65535', event({ body: { case: 'announce', value: { port: 65_536 } } })],
    ['a domain kind in capitals', event({ body: { case: 'announce', value: { domains: { Zone: 'a' } } } })],
    [
      'a CPU ratio that is no number',
      event({ body: { case: 'heartbeat', value: { vitals: { cpuUsedRatio: Number.NaN } } } }),
    ],
    ['a long reason', event({ body: { case: 'depart', value: { reason: 'x'.repeat(201) } } })],
  ])('%s', (_name, post) => {
    expect(() => checkPost(post)).toThrow(MeshwardError);
    try {
      checkPost(post);
    } catch (error) {
      expect(hasCode(error, 'batch-malformed')).toBe(true);
    }
  });
});

test.each([
  ['kinds', batch({ ...columns(2), kinds: Uint8Array.from([1, 5]) }), true],
  ['an inventory phase', batch({ inventory: { phase: 9 as InventoryPhase, generation: 1 } }), true],
  ['nothing', batch({ ...columns(1), inventory: { phase: InventoryPhase.END, generation: 1 } }), false],
])('a batch with %s of a newer release passes, and is told to be one', (_what, post, holdsUnknown) => {
  expect(checkPost(post)).toMatchObject({ kind: 'batch', holdsUnknown, batch: post.body.value });
});

test("a peer's manifests are derived and choose no policy, whatever it says", () => {
  const checked = checkPost(batch({ manifests: [{ ...manifest, origin: ManifestOrigin.OWNER, tag: 'precious' }] }));
  expect(checked.kind === 'batch' && checked.batch.manifests[0]).toMatchObject({
    origin: ManifestOrigin.DERIVED,
    tag: '',
  });
});

test('arbitrary bytes are either a post or refused, in both forms, and never anything else', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ maxLength: 300 }).map((text) => Buffer.from(text)),
    fc.json().map((text) => Buffer.from(`{"batch":${text}}`)),
  );
  fc.assert(
    fc.property(bytes, fc.constantFrom('protobuf' as const, 'json' as const), (body, form) => {
      try {
        checkPost(readPost(body, form));
      } catch (error) {
        if (!hasCode(error, 'batch-malformed') && !hasCode(error, 'event-unknown')) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test('a valid post with one byte changed never crashes the check', () => {
  const valid = toBinary(
    AgentPostSchema,
    batch({ ...columns(3), manifests: [manifest], inventory: { phase: InventoryPhase.BEGIN, generation: 1 } }),
  );
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 }), (position, value) => {
      const changed = valid.slice();
      changed[position] = value;
      try {
        checkPost(readPost(changed, 'protobuf'));
      } catch (error) {
        if (!hasCode(error, 'batch-malformed') && !hasCode(error, 'event-unknown')) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

test('JSON and Protobuf of one post are read as the same', () => {
  const post = batch({ ...columns(3), manifests: [manifest], inventory: { phase: InventoryPhase.END, generation: 4 } });
  const json = Buffer.from(toJsonString(AgentPostSchema, post));
  expect(readPost(json, 'json')).toEqual(readPost(toBinary(AgentPostSchema, post), 'protobuf'));
});

test('manifests are counted before an object is made of each, in both forms', () => {
  const count = 600_000; // two bytes each on the wire: 1.2 MB, and hundreds of MB as objects
  const inner = Buffer.alloc(2 * count);
  for (let i = 0; i < count; i++) inner[2 * i] = 0x42; // field 8, length 0
  const length = [0x80 | (inner.length & 0x7f), 0x80 | ((inner.length >> 7) & 0x7f), inner.length >> 14];
  const protobuf = Buffer.concat([Buffer.from([0x0a, ...length]), inner]);
  const heapBefore = process.memoryUsage().heapUsed;
  expect(() => readPost(protobuf, 'protobuf')).toThrow(/manifests/);
  expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(50_000_000);
  const json = Buffer.from(`{"batch":{"manifests":[${'{},'.repeat(maxManifestsPerBatch)}{}]}}`);
  expect(() => readPost(json, 'json')).toThrow(/manifests/);
});

test('an event larger than any true one is refused before it is read', () => {
  const large = event({ body: { case: 'depart', value: { reason: 'x'.repeat(maxPeerEventBytes) } } });
  expect(() => readPost(toBinary(AgentPostSchema, large), 'protobuf')).toThrow(/event/);
});
