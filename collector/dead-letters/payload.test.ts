import { create, toBinary, toJsonString } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { AgentPostSchema, DeadLetterSchema, ShareEventsRecordSchema } from '#mesh/generated/events_pb.js';
import { testTopics as topics } from '../gateway/testing/gateway-under-test.ts';
import { showPayload } from './payload.ts';
import { showableHex } from './secrets.ts';

const batch = {
  peerId: new Uint8Array(32).fill(1),
  incarnation: 2n,
  sequence: 3n,
  storageIndexes: new Uint8Array(16),
  shareNumbers: Uint8Array.from([7]),
  kinds: Uint8Array.from([9]),
  manifests: [{ storageIndex: new Uint8Array(16), uebHash: new Uint8Array(32), k: 3, n: 10, sizeBytes: 5n }],
};

function shown(
  payload: Uint8Array | string,
  letter: { source?: string; contentType?: string; payloadBytes?: bigint } = {},
) {
  const bytes = typeof payload === 'string' ? new Uint8Array(Buffer.from(payload)) : payload;
  const { source = 'gateway', contentType = 'application/x-protobuf', payloadBytes = BigInt(bytes.length) } = letter;
  return showPayload(create(DeadLetterSchema, { payload: bytes, payloadBytes, source, contentType }), topics);
}

test('a post and a record of the log are decoded, kinds that have no name by their number', () => {
  const post = toBinary(AgentPostSchema, create(AgentPostSchema, { body: { case: 'batch', value: batch } }));
  const record = toBinary(
    ShareEventsRecordSchema,
    create(ShareEventsRecordSchema, { body: { case: 'batch', value: batch } }),
  );
  const expected = {
    form: 'decoded',
    value: {
      batch: {
        incarnation: 2,
        sequence: 3,
        events: [{ file: 'a'.repeat(26), share: 7, kind: 9 }],
        manifests: [{ file: 'a'.repeat(26), k: 3, verifyCap: expect.stringMatching(/^URI:CHK-Verifier:a+/) as string }],
      },
    },
  };
  expect(shown(post)).toMatchObject(expected);
  expect(shown(record, { source: `${topics.shareEvents.name}/1@7` })).toMatchObject(expected);
});

test('a post in JSON is shown as it was, but for secrets, wherever they stand', () => {
  const event = toJsonString(
    AgentPostSchema,
    create(AgentPostSchema, { body: { case: 'event', value: { sequence: 4n } } }),
  );
  expect(shown(event, { contentType: 'application/json' })).toEqual({
    form: 'decoded',
    value: { event: { sequence: '4' } },
  });
  const astray = {
    token: 'abc',
    a: ['x pb://pin@host:1/swiss y'],
    'URI:CHK:k:u:3:10:9': 1,
    deep: { nurl: { of: 'z' } },
  };
  expect(shown(JSON.stringify(astray), { contentType: 'application/json' })).toEqual({
    form: 'decoded',
    value: { token: '(secret)', a: ['x pb://(secret) y'], 'URI:CHK:(secret)': 1, deep: { nurl: '(secret)' } },
  });
});

test('what cannot be read is shown in hexadecimal, with nothing in it that reads as a secret', () => {
  expect(shown(Uint8Array.from([255, 1]))).toEqual({ form: 'hex', hex: 'ff01' });
  const cap = 'URI:CHK:abcdefabcdefabcdefabcdefab:xyz:3:10:9';
  const hex = showableHex(Buffer.from(`\u0000${cap} \u0001`, 'latin1'));
  expect(hex).toBe(`00${Buffer.from('URI:CHK:').toString('hex')}**2001`);
  expect(shown('{"cut":', { contentType: 'application/json' })).toMatchObject({ form: 'hex' });
});

test('a payload that was not kept is said to be withheld', () => {
  expect(shown(new Uint8Array(), { payloadBytes: 9n })).toEqual({ form: 'withheld' });
});
