/** Kill -9 of any service at any moment, and the story still ends true. */
import { expect, it } from 'vitest';
import { seededRandom } from '#mesh/clock.ts';
import { RunningDemo, tick } from './running-demo.ts';

const seed = Number(process.env['MESHWARD_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const victims = ['collector', 'analyzer', 'repairer', 'clickhouse'] as const;

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
  const killed: string[] = [];
  while (!over) {
    // Each chapter has a kill in it, however short it is on this machine.
    const chapter = chaptersOf(demo.output);
    const nextMs = performance.now() + pace * (2000 + random() * 4000);
    while (!over && performance.now() < nextMs && chaptersOf(demo.output) === chapter) await tick();
    const victim = victims[Math.floor(random() * victims.length)] as string;
    const pid = demo.services().get(victim);
    if (over || pid === undefined) continue;
    process.kill(pid, 'SIGKILL');
    killed.push(victim);
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

function chaptersOf(output: string): number {
  return output.match(/^\d\. /gm)?.length ?? 0;
}

/** Services that are killed more often than they can start never get anywhere, and how long a start takes is the machine's. */
function paceOf(output: string): number {
  const [, seconds] = /Services are up after (\d+) s/.exec(output) ?? [];
  return Math.max(1, Number(seconds ?? 0) / 6);
}
