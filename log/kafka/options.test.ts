import { expect, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { hasCode } from '#mesh/errors.ts';
import { checkOptions, type KafkaLogOptions, limitsOf, parseBroker } from './options.ts';

const topic = { name: 'events', partitions: 4, compacted: false, retentionMs: 0, retentionBytes: 0 };
const good: KafkaLogOptions = { brokers: ['kafka-1:9092'], topics: [topic], clock: systemClock };

test.each([
  ['kafka-1:9092', { host: 'kafka-1', port: 9092 }],
  ['[::1]:9093', { host: '::1', port: 9093 }],
])('%s is the address of a broker', (text, place) => {
  expect(parseBroker(text)).toEqual(place);
});

test.each(['kafka-1', 'kafka-1:0', 'kafka-1:99999', '::1:9092', 'user:secret@kafka:9092', 'http://kafka:9092', ''])(
  '"%s" is not',
  (text) => {
    expect(() => parseBroker(text)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
  },
);

test.each<[string, Partial<KafkaLogOptions>]>([
  ['no broker', { brokers: [] }],
  ['a certificate without its key', { tls: { cert: 'x' } }],
  ['an empty password', { sasl: { mechanism: 'plain', username: 'u', password: '' } }],
  ['a topic twice', { topics: [topic, topic] }],
  ['a topic named ..', { topics: [{ ...topic, name: '..' }] }],
  ['no partition', { topics: [{ ...topic, partitions: 0 }] }],
])('%s is refused', (_what, wrong) => {
  expect(() => checkOptions({ ...good, ...wrong })).toThrow(expect.objectContaining({ code: 'config-invalid' }));
});

test('what is good passes, and limits have their defaults', () => {
  checkOptions(good);
  expect(limitsOf({ ...good, fetchBytes: 5 })).toMatchObject({ fetchBytes: 5, maxPendingBytes: 64 * 1024 * 1024 });
  expect(() => limitsOf({ ...good, fetchBytes: 0 })).toThrow();
  try {
    limitsOf({ ...good, sessionTimeoutMs: Number.NaN });
  } catch (error) {
    expect(hasCode(error, 'config-invalid')).toBe(true);
  }
});
