/** A service that does nothing: ready at once, or, told `unready`, never. */
import { reportReady } from '../child.ts';

if (!process.argv.includes('unready')) reportReady({});
process.on('message', () => undefined);
