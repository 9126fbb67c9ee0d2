import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KafkaCluster, startKafka } from '#test/kafka/cluster.ts';
import { type CommandRun, runMeshward } from './testing/run-meshward.ts';

let kafka: KafkaCluster;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-kafka-commands-'));
  kafka = await startKafka({ nodes: 1 });
});
afterAll(async () => {
  await kafka?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const anyPorts = ['--set', 'collector.port=0', '--set', 'collector.opsPort=0'];

function meshward(prefix: string, ...words: readonly string[]): Promise<CommandRun> {
  const where = ['--data-dir', join(folder, prefix), '--kafka', kafka.bootstrap, '--set', `log.topicPrefix=${prefix}.`];
  return runMeshward([...where, ...words]);
}

describe('topics on Kafka', { timeout: 120_000 }, () => {
  test('are shown as missing, made with --yes, and then as they should be', async () => {
    const before = await meshward('made', 'topics', 'show');
    expect(before.exitCode).toBe(5);
    expect(before.stdout).toContain('create     made.share-events: 8 partitions, 1 copy of each');
    const applied = await meshward('made', 'topics', 'apply', '--yes');
    expect(applied.exitCode, applied.stderr).toBe(0);
    expect(applied.stderr).toContain('create     made.at-risk');
    const after = await meshward('made', '--json', 'topics', 'show');
    expect(after.exitCode).toBe(0);
    const { steps } = JSON.parse(after.stdout) as { steps: { kind: string }[] };
    expect(steps.map(({ kind }) => kind)).toEqual(steps.map(() => 'keep'));
  });

  test('are left alone where nobody can be asked: the plan is printed, and the exit code is 2', async () => {
    const { exitCode, stderr } = await meshward('asked', 'topics', 'apply');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('create     asked.share-events');
    expect(stderr).toContain('--yes');
    expect((await meshward('asked', 'topics', 'show')).exitCode).toBe(5);
  });

  test('get no more partitions, and nothing else is changed then', async () => {
    await meshward('count', '--set', 'log.shareEventsPartitions=2', 'topics', 'apply', '--yes');
    const { exitCode, stderr } = await meshward(
      'count',
      '--set',
      'log.retentionMs=1000000',
      'topics',
      'apply',
      '--yes',
    );
    expect(exitCode).toBe(2);
    expect(stderr).toContain('REFUSED    count.share-events');
    expect(stderr).toContain('code: log-topics');
    const { stdout } = await meshward('count', '--json', '--set', 'log.shareEventsPartitions=2', 'topics', 'show');
    expect(stdout).toContain('"retention.ms": "604800000"');
  });
});

describe('a service on Kafka', () => {
  test('does not start without its topics, and says how to make them', async () => {
    const { exitCode, stderr } = await meshward('none', ...anyPorts, 'collector');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('none.share-events is missing');
    expect(stderr).toContain('meshward topics apply');
    expect(stderr).toContain('code: log-topics');
  });

  test('does not start on topics with other partitions', async () => {
    await meshward('other', '--set', 'log.shareEventsPartitions=2', 'topics', 'apply', '--yes');
    const { exitCode, stderr } = await meshward('other', ...anyPorts, 'collector');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('other.share-events has 2 partitions, and 8 are configured');
  });

  test('starts while brokers are away, says so, and works when they are there', { timeout: 240_000 }, async () => {
    await meshward('away', 'topics', 'apply', '--yes');
    await kafka.nodes[0]?.stop();
    const main = fileURLToPath(new URL('./main.ts', import.meta.url));
    const where = ['--data-dir', join(folder, 'away'), '--kafka', kafka.bootstrap, '--set', 'log.topicPrefix=away.'];
    const child = spawn(process.execPath, [main, ...where, ...anyPorts, 'collector'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const lines: string[] = [];
    const reader = createInterface(child.stderr).on('line', (line) => lines.push(line));
    const says = async (words: string): Promise<void> => {
      while (!lines.some((line) => line.includes(words))) await once(reader, 'line');
    };
    try {
      await says('the log cannot be opened yet');
      // It has started all the same, so that its probes can say why it does no work.
      await says('collector has started');
      await kafka.nodes[0]?.start();
      await says('the log is open');
    } finally {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    expect(child.exitCode, lines.join('\n')).toBe(0);
    expect(lines.join('\n')).not.toContain('Warning');
  });
});
