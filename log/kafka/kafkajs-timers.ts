/**
 * Mends one method of kafkajs 2.2.4. Its request queue sets a timer after every answer, also where nothing waits, with a
 * delay of minus the time since 1970: on Node 24 that is a `TimeoutNegativeWarning`, and everywhere a needless timer for
 * each request. Here a timer is set only where a request waits, for the time that it has to.
 */
import { createRequire } from 'node:module';

interface RequestQueue {
  pending: readonly unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/** Where the broker asks for no pause, a full connection is looked at again after this. */
const lookAgainMs = 10;

const queueClass = createRequire(import.meta.url)('kafkajs/src/network/requestQueue/index.js') as {
  prototype: RequestQueue;
};

queueClass.prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
  if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
  const delayMs = Math.max(lookAgainMs, this.throttledUntil - Date.now());
  this.throttleCheckTimeoutId = setTimeout(() => {
    this.throttleCheckTimeoutId = null;
    this.checkPendingRequests();
  }, delayMs);
};
