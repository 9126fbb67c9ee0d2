/** The commands as a person runs them, on an embedded log where two letters stand. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { peerRecord } from '#collector/gateway/enrolment-records.ts';
import { createEmbeddedLog } from '#log/embedded-log.ts';
import { systemClock } from '#mesh/clock.ts';
import { configSchema } from '#mesh/config/schema.ts';
import { AgentPostSchema, DeadLetterSchema, EnrolledPeerSchema } from '#mesh/generated/events_pb.js';
import { allTopics, topicsOf } from '#mesh/topics.ts';
import { runMeshward } from '../testing/run-meshward.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'meshward-letters-'));
const peerId = new Uint8Array(32).fill(3);
const letter = (payload: Uint8Array, reasonCode: string) =>
  toBinary(
    DeadLetterSchema,
    create(DeadLetterSchema, {
      payload,
      reasonCode,
      peerId,
      reason: 'it was refused',
      source: 'gateway',
      payloadBytes: BigInt(payload.length),
      contentType: 'application/x-protobuf',
      atMs: 1n,
    }),
  );

beforeAll(async () => {
  const { topicPrefix: prefix, ...log } = configSchema.shape.log.parse({});
  const topics = topicsOf({ prefix, ...log });
  mkdirSync(join(dataDir, 'log'));
  const opened = await createEmbeddedLog({
    directory: join(dataDir, 'log'),
    topics: allTopics(topics),
    clock: systemClock,
    sessionTimeoutMs: log.sessionTimeoutMs,
    maxPendingBytes: log.maxPendingBytes,
  });
  const heartbeat = { peerId, incarnation: 1n, sequence: 1n, body: { case: 'heartbeat', value: {} } } as const;
  const post = toBinary(AgentPostSchema, create(AgentPostSchema, { body: { case: 'event', value: heartbeat } }));
  const peer = create(EnrolledPeerSchema, { peerId, name: 'alder-07' });
  await opened.append(topics.enrolments.name, [peerRecord(peer, -1)]);
  const values = [letter(Uint8Array.from([255, 255]), 'batch-malformed'), letter(post, 'peer-revoked')];
  await opened.append(
    topics.deadLetters.name,
    values.map((value) => ({ partition: 0, key: null, value })),
  );
  await opened.close();
}, 60_000);
afterAll(() => rmSync(dataDir, { recursive: true }));

const run = (...words: string[]) => runMeshward(['--data-dir', dataDir, 'dead-letters', ...words], { cwd: dataDir });

test('letters are listed, shown, planned, replayed and marked; what is still bad ends with exit code 5', async () => {
  const listed = await run('list', '--peer', 'alder-07');
  expect([listed.exitCode, listed.stderr]).toEqual([0, '']);
  expect(listed.stdout).toMatch(/ 1 .*peer-revoked.*\n *0 .*batch-malformed[^]*2 letters\./);
  const shown = await run('--json', 'show', '1');
  expect(JSON.parse(shown.stdout)).toMatchObject({
    number: 1,
    payload: { form: 'decoded', value: { event: { sequence: 1 } } },
  });
  expect((await run('show', '0')).stdout).toMatch(/\nffff\n$/);
  const plan = await run('replay', '--dry-run', '--since', '1h');
  expect(plan.exitCode).toBe(5);
  expect(plan.stdout).toMatch(/0 +refused [^]*1 +would-append/);
  const replayed = await run('--json', 'replay', '1');
  expect(replayed.exitCode).toBe(0);
  expect(JSON.parse(replayed.stdout)).toMatchObject({
    dryRun: false,
    outcomes: [{ number: 1, outcome: 'appended', records: 1 }],
  });
  expect((await run('list', '--code', 'peer-revoked')).stdout).toMatch(/replayed \d{4}-/);
  expect((await run('replay', '1')).stdout).toContain('replayed-before');
});

test('a mistake on the command line is exit code 2, what is not there 3, and no log exit code 4, which makes none', async () => {
  for (const words of [['replay'], ['replay', '1', '--code', 'x'], ['show', 'x'], ['list', '--limit', '0']]) {
    const { exitCode, stdout } = await run(...words);
    expect([exitCode, stdout], words.join(' ')).toEqual([2, '']);
  }
  for (const words of [
    ['show', '99'],
    ['replay', '99'],
    ['list', '--peer', 'nobody'],
  ])
    expect((await run(...words)).exitCode, words.join(' ')).toBe(3);
  const nowhere = join(dataDir, 'nowhere');
  const { exitCode, stderr } = await runMeshward(['--data-dir', nowhere, 'dead-letters', 'list'], { cwd: dataDir });
  expect(stderr).toContain('meshward up');
  expect(exitCode).toBe(4);
});
