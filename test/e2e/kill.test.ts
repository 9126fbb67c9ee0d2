/**
 * Kill -9 of any service at any moment, also while it starts, and the story still ends true. A mesh whose services are killed faster than
 * they start gets nowhere, and how fast they start is the machine's: so each chapter has its share of kills, and none of them falls on a
 * service that was killed twice and has not been ready since.
 */
import { expect, it } from 'vitest';
import type { RunFile } from '#cli/run-file.ts';
import { seededRandom } from '#mesh/clock.ts';
import { RunningDemo, tick } from './running-demo.ts';

const seed = Number(process.env['MESHWARD_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const victims = ['collector', 'analyzer', 'repairer', 'clickhouse'] as const;
type Victim = (typeof victims)[number];
const mostKillsOfChapter = 5;
const mostKillsUnready = 2;

it(`ends true though services are killed at random moments (MESHWARD_SEED=${seed})`, {
  timeout: 1_200_000,
}, async () => {
  const random = seededRandom(seed);
  await using demo = await RunningDemo.start(
    '--json',
    'demo',
    '--once',
    '--max-files',
    '12',
    '--seed',
    String(seed),
    '--patience',
    '3',
  );
  let over = false;
  void demo.ended.then(() => (over = true));
  await demo.says('2. Files go in');
  const pace = paceOf(demo.output);
  const run = demo.run();
  const killed: Victim[] = [];
  const killsUnready = new Map<Victim, number>();
  let chapter = 0;
  let killsOfChapter = 0;
  while (!over) {
    // Each chapter has a kill in it, however short it is on this machine.
    const nextMs = performance.now() + pace * (2000 + random() * 4000);
    while (!over && performance.now() < nextMs && chaptersOf(demo.output) === chapter) await tick();
    const victim = victims[Math.floor(random() * victims.length)] as Victim;
    if (chaptersOf(demo.output) !== chapter) killsOfChapter = 0;
    chapter = chaptersOf(demo.output);
    if (killsOfChapter >= mostKillsOfChapter) continue;
    if (await isReady(victim, run)) killsUnready.set(victim, 0);
    const unready = killsUnready.get(victim) ?? 0;
    const pid = demo.services().get(victim);
    if (over || pid === undefined || unready >= mostKillsUnready) continue;
    process.kill(pid, 'SIGKILL');
    killed.push(victim);
    killsOfChapter++;
    killsUnready.set(victim, unready + 1);
  }
  const { exitCode, stdout, stderr } = await demo.ended;
  expect(exitCode, `killed: ${killed.join(', ')}\n${stderr.slice(-5000)}`).toBe(0);
  const summary = JSON.parse(stdout) as {
    promises: { promise: string; kept: boolean }[];
    proofs: number;
    files: number;
  };
  expect(summary.promises.map(({ kept }) => kept)).toEqual(summary.promises.map(() => true));
  expect(summary.proofs).toBe(summary.files);
  expect(killed.length).toBeGreaterThan(3);
});

async function isReady(victim: Victim, run: RunFile): Promise<boolean> {
  const asked = {
    collector: `${run.collectorOpsUrl}/readyz`,
    analyzer: `${run.apiUrl}/readyz`,
    repairer: `${run.repairerUrl}/readyz`,
    clickhouse: `${run.clickhouseUrl}/ping`,
  }[victim];
  // Nobody who hangs holds up the next kill.
  const signal = AbortSignal.timeout(5000);
  return fetch(asked, { signal }).then(
    ({ ok }) => ok,
    () => false,
  );
}

function chaptersOf(output: string): number {
  return output.match(/^\d\. /gm)?.length ?? 0;
}

/** How many times as long as on a machine that is quick a start takes here. */
function paceOf(output: string): number {
  const [, seconds] = /Services are up after (\d+) s/.exec(output) ?? [];
  return Math.max(1, Number(seconds ?? 0) / 6);
}
