import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import './protocol.ts';

const load = createRequire(import.meta.url);

// The adapter builds on parts of kafkajs that promise nothing: another version has to be looked through, then named here.
test('the insides of kafkajs are those of the version that they were read in', () => {
  expect((load('kafkajs/package.json') as { version: string }).version).toBe('2.2.4');
});

test('an answered request sets no timer, so none with a negative delay', () => {
  const Queue = load('kafkajs/src/network/requestQueue/index.js') as new (
    options: object,
  ) => {
    throttleCheckTimeoutId: unknown;
    checkPendingRequests(): void;
    destroy(): void;
  };
  const namespace = { debug: () => undefined };
  const queue = new Queue({ requestTimeout: 1000, clientId: 'c', broker: 'b', logger: namespace });
  queue.checkPendingRequests();
  expect(queue.throttleCheckTimeoutId).toBeNull();
  queue.destroy();
});
