/** Large bodies one a turn of the event loop: to encrypt fifty at once would hold everything else up for as long as all of them take. */
import { setImmediate } from 'node:timers/promises';

/** @returns what resolves for one caller after the other, each in a later turn. */
export function sendTurns(): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return () => {
    last = last.then(() => setImmediate());
    return last;
  };
}
