/** A service that was still loading when its supervisor went. */
import { setImmediate as turn } from 'node:timers/promises';
import { reportReady, stopRequested } from '../child.ts';

while (process.connected) await turn();
reportReady({});
console.log(await stopRequested());
process.exit();
