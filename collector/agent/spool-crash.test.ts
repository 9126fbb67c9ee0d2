import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { seededRandom, systemClock } from '#mesh/clock.ts';
import { silentLogger } from '#mesh/logger.ts';
import { Spool } from './spool.ts';

const writer = fileURLToPath(new URL('./testing/spool-writer.ts', import.meta.url));

test('kill -9 at any point: what was taken arrives once, in order', async () => {
  const seed = Number(process.env['MESHWARD_SEED'] ?? Date.now() % 1_000_000);
  console.log(`spool crash test: MESHWARD_SEED=${seed}`);
  const random = seededRandom(seed);
  const directory = await mkdtemp(join(tmpdir(), 'meshward-spool-crash-'));
  let taken = 0;
  let sent = 0;
  const arrived: number[] = [];
  try {
    for (let round = 0; round < 6; round++) {
      const child = spawn(
        process.execPath,
        [writer, directory, String(taken + 1), String(Math.floor(random() * 1e9))],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const linesToRead = 20 + Math.floor(random() * 400);
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        const [what, sequence] = line.split(' ');
        if (what === 'taken') taken = Number(sequence);
        if (what === 'sent') {
          // The child died after the collector took it and before it could note that: it comes again.
          if (Number(sequence) > sent) arrived.push(Number(sequence));
          sent = Math.max(sent, Number(sequence));
        }
        if (++lines === linesToRead) child.kill('SIGKILL');
      }
      // What it wrote between its last line and its death counts as taken too if it is whole; look at what is there.
      const spool = await Spool.open({
        directory,
        maxBytes: 50_000_000,
        segmentBytes: 5000,
        clock: systemClock,
        log: silentLogger,
        onDropped: (reason) => expect.fail(reason),
      });
      const { batches } = spool.stats;
      if (round === 5 || random() < 0.3) {
        for (let record = await spool.peek(); record !== null; record = await spool.peek()) {
          if (record.sequence > sent) arrived.push(record.sequence);
          sent = Math.max(sent, record.sequence);
          await spool.sent(record);
        }
        taken = Math.max(taken, sent);
      } else {
        expect(batches).toBeGreaterThanOrEqual(taken - sent - 1);
        taken = await lastSequence(spool, Math.max(taken, sent));
      }
      await spool.close();
    }
    expect(arrived).toEqual(Array.from({ length: arrived.length }, (_, index) => index + 1));
    expect(arrived.length).toBeGreaterThanOrEqual(taken);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);

/** The next writer goes on after everything that survived. */
function lastSequence(spool: Spool, atLeast: number): Promise<number> {
  return spool
    .peek()
    .then((oldest) => (oldest === null ? atLeast : Math.max(atLeast, oldest.sequence + spool.stats.batches - 1)));
}
