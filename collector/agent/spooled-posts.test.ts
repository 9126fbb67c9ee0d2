import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { AgentPostSchema, ShareBatchSchema } from '#mesh/generated/events_pb.js';
import { postOfBatch } from './spooled-posts.ts';

test('the stored bytes are the batch of the post, what a newer release wrote included', () => {
  const batch = create(ShareBatchSchema, { incarnation: 3n, sequence: 7n, shareNumbers: Uint8Array.of(1, 2) });
  const unknownField = Uint8Array.of(0xf8, 0x3f, 1); // number 1023, varint
  const stored = Buffer.concat([toBinary(ShareBatchSchema, batch), unknownField]);
  const post = fromBinary(AgentPostSchema, postOfBatch(stored));
  expect(post.body.case).toBe('batch');
  expect(toBinary(AgentPostSchema, post)).toEqual(postOfBatch(stored));
  expect(post.body.value).toMatchObject({ incarnation: 3n, sequence: 7n });
});
