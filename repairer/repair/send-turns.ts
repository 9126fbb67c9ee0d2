/** Large bodies one a turn of the event loop: to encrypt fifty at once would hold everything else up for as long as all of them take. */
import { setImmediate } from 'node:timers/promises';

/** Smaller ones share a turn up to so many bytes, and may so go together to peers that they have in common. */
const turnBytes = 256 * 1024;

/** @returns what resolves for one caller after the other, each in its turn. */
export function sendTurns(): (bytes: number) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let leftBytes = 0;
  return (bytes) => {
    if (bytes > leftBytes) {
      last = last.then(() => setImmediate());
      leftBytes = turnBytes;
    }
    leftBytes -= bytes;
    return last;
  };
}
