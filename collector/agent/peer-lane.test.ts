import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { DrainSchema, HeartbeatSchema, MaintenanceSchema } from '#mesh/generated/events_pb.js';
import { silentLogger } from '#mesh/logger.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import { PeerLane } from './peer-lane.ts';

async function lane(): Promise<PeerLane> {
  const { peerId } = await createPeerIdentity();
  return new PeerLane({ peerId, incarnation: 3, clock: new ManualClock(), log: silentLogger });
}

const heartbeat = () => ({ case: 'heartbeat' as const, value: create(HeartbeatSchema) });
const drain = (draining: boolean) => ({ case: 'drain' as const, value: create(DrainSchema, { draining }) });
const maintenance = (untilMs: number) => ({
  case: 'maintenance' as const,
  value: create(MaintenanceSchema, { untilMs: BigInt(untilMs) }),
});

async function drainAll(made: PeerLane): Promise<[string | undefined, number][]> {
  const said: [string | undefined, number][] = [];
  for (let event = await made.next(); event !== null; event = await made.next()) {
    said.push([event.body.case, Number(event.sequence)]);
    await made.sent(event);
  }
  return said;
}

test('only the newest heartbeat waits, and the sequence only grows', async () => {
  const made = await lane();
  made.say(heartbeat());
  made.say(drain(true));
  made.say(heartbeat());
  made.say(heartbeat());
  expect(await drainAll(made)).toEqual([
    ['drain', 2],
    ['heartbeat', 4],
  ]);
});

test('a peer that fell silent does not beat later, but what was decided is still said', async () => {
  const made = await lane();
  made.say(heartbeat());
  made.say(maintenance(5));
  made.dropHeartbeats();
  expect(await drainAll(made)).toEqual([['maintenance', 2]]);
});

test('a statement that is being sent when a newer one comes does not come back', async () => {
  const made = await lane();
  made.say(heartbeat());
  const sending = await made.next();
  made.say(heartbeat());
  if (sending !== null) await made.sent(sending);
  expect(await drainAll(made)).toEqual([['heartbeat', 2]]);
});

test('what waits is bounded', async () => {
  const made = await lane();
  for (let i = 0; i < 1000; i++) made.say(maintenance(i));
  expect(made.waitingCount).toBe(64);
  expect((await drainAll(made)).at(-1)).toEqual(['maintenance', 1000]);
});
