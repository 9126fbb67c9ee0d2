/** Appends to a spool and sends from it until it is killed, and says each thing once it is done. For the crash test. */
import { writeSync } from 'node:fs';
import { seededRandom, systemClock } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import { Spool } from '../spool.ts';

const [directory, first, seed] = process.argv.slice(2) as [string, string, string];
const random = seededRandom(Number(seed));
const spool = await Spool.open({
  directory,
  maxBytes: 50_000_000,
  segmentBytes: 5000,
  clock: systemClock,
  log: silentLogger,
  syncIntervalMs: 5,
  onDropped: (reason) => {
    throw new Error(reason);
  },
});
for (let sequence = Number(first); ; ) {
  if (random() < 0.6) {
    const payload = new Uint8Array(Math.floor(random() * 1500)).fill(sequence);
    await spool.append({ incarnation: 1, sequence, generation: 0, part: 0, isLastPart: false, payload });
    writeSync(1, `taken ${sequence}\n`);
    sequence++;
  } else {
    const record = await spool.peek();
    if (record === null) continue;
    writeSync(1, `sent ${record.sequence}\n`);
    await spool.sent(record);
  }
}
