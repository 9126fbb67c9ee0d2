/** A peer that claims what it does not hold: what readers find of it counts, and what it says does not. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fileOf, peerOf, registrationOf } from '#mesh/testing/share-events.ts';
import { openReaderWords, type ReaderWords } from '#peers/reader-words.ts';
import { MemoryStore } from './testing/memory-store.ts';
import { gateway, graceMs, peers, TestMesh } from './testing/mesh.ts';

let mesh: TestMesh;
let words: ReaderWords;
beforeEach(async () => {
  mesh = await TestMesh.open();
  const { log, clock } = mesh;
  const topics = { shareEvents: mesh.topics.shareEvents.name, peerEvents: mesh.topics.peerEvents.name };
  words = await openReaderWords({ log, topics, clock, reader: 'repairer', onFailed: (reason) => expect.fail(reason) });
});
afterEach(() => mesh.close());

const liar = 0;

it('makes no file recoverable once its claims have failed, through grace to down, until they hold again', async () => {
  await mesh.announce();
  await mesh.says({ peer: gateway, registrations: [registrationOf(1)] });
  const everyShare = Array.from({ length: 6 }, (_, share) => ['stored', 1, share] as const);
  await mesh.says({ peer: liar, events: everyShare });
  await mesh.pass(2000, peers);
  const running = await mesh.start(new MemoryStore(() => mesh.wallMs));
  await mesh.seenBy(running);
  const seen = async () => {
    await mesh.pass(1000, peers);
    await mesh.seenBy(running);
    const { health } = running.analyzer.file(fileOf(1)) ?? {};
    return [running.analyzer.peer(peerOf(liar))?.state, health?.available, health?.counted, health?.grade];
  };
  expect(await seen()).toEqual(['up', 6, 6, 'healthy']);

  const draw = async (times: number, held: number): Promise<void> => {
    for (let i = 0; i < times; i++) words.claims(peerOf(liar), held, 1 - held);
    await words.flush();
  };
  await draw(3, 0);
  const [state, available, , grade] = await seen();
  expect([state, available]).toEqual(['suspect', 0]);
  expect(grade).not.toBe('healthy');
  await mesh.pass(graceMs, peers);
  expect(await seen()).toEqual(['down', 0, 0, 'lost']);
  expect(running.analyzer.peer(peerOf(liar))?.doubtedMs).toBeGreaterThan(0);

  await draw(3, 1);
  expect(await seen()).toEqual(['up', 6, 6, 'healthy']);
});
