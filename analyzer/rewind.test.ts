import { expect, onTestFinished, test } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { fileOf } from '#mesh/testing/share-events.ts';
import { consumerGroups } from '#mesh/topics.ts';
import { rewindAnalyzers } from './rewind.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { peers, TestMesh } from './testing/mesh.ts';

test('a database that was lost is filled again from the log, and never while an analyzer runs', async () => {
  const mesh = await TestMesh.open();
  onTestFinished(() => mesh.close());
  await mesh.announce();
  await mesh.put([1, 2, 3]);
  await mesh.pass(2000, peers);
  const first = await mesh.start(new MemoryStore(() => mesh.wallMs));
  await mesh.seenBy(first);
  await mesh.committed();
  const rewind = () =>
    rewindAnalyzers({
      log: mesh.log,
      topic: mesh.topics.shareEvents.name,
      group: consumerGroups('test.').analyzers,
      clock: systemClock,
      patienceMs: 500,
    });
  await expect(rewind()).rejects.toMatchObject({ code: 'service-busy', retryable: true });
  await mesh.seenBy(first);
  await first.kill();
  expect(await rewind()).toBe(mesh.partitions);
  expect((await mesh.offsets()).committed).toEqual(Array.from({ length: mesh.partitions }, () => 0));

  const second = await mesh.start(new MemoryStore(() => mesh.wallMs));
  await mesh.tick(peers);
  await mesh.seenBy(second);
  for (const file of [1, 2, 3]) expect(second.analyzer.file(fileOf(file))?.health.available).toBe(6);
});

/** All that is in its log was read by an analyzer whose database is gone. */
async function readMesh(): Promise<TestMesh> {
  const mesh = await TestMesh.open();
  onTestFinished(() => mesh.close());
  await mesh.announce();
  await mesh.put([1]);
  await mesh.pass(2000, peers);
  const first = await mesh.start(new MemoryStore(() => mesh.wallMs));
  await mesh.seenBy(first);
  await mesh.committed();
  await first.kill();
  return mesh;
}

test('an analyzer that finds its database empty calls nothing fresh until each peer has sent an inventory', async () => {
  const mesh = await readMesh();

  const second = await mesh.start(new MemoryStore(() => mesh.wallMs));
  await mesh.tick(peers);
  await mesh.seenBy(second);
  const { state, reasons } = second.analyzer.meshFreshness();
  expect(state, JSON.stringify(reasons)).toBe('stale');
  expect(second.counted.truncatedEvents).toBeGreaterThan(0);
});

test('nor does the next one, where the first that found it empty was killed before it had saved anything', async () => {
  const mesh = await readMesh();

  const store = new MemoryStore(() => mesh.wallMs);
  for (let partition = 0; partition < mesh.partitions; partition++)
    expect(await store.claimPartition(partition, 0)).toBe(true);
  const third = await mesh.start(store);
  await mesh.tick(peers);
  await mesh.seenBy(third);
  const { state, reasons } = third.analyzer.meshFreshness();
  expect(state, JSON.stringify(reasons)).toBe('stale');
  expect(third.counted.truncatedEvents).toBeGreaterThan(0);
});
