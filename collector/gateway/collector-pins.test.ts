import { describe, expect, test } from 'vitest';
import { createPeerIdentity, type PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import { createCollectorClient } from './client.ts';
import { CollectorPins } from './collector-pins.ts';
import { newLog, newOperator, startGateway } from './testing/gateway-under-test.ts';

async function ask(url: string, pins: CollectorPins, caller: PeerIdentity): Promise<void> {
  const client = createCollectorClient({
    url,
    pin: pins,
    key: privateKeyPem(caller),
    cert: caller.certificatePem,
  });
  try {
    await client.operators();
  } finally {
    await client.close();
  }
}

describe('while the key of collectors is replaced', () => {
  test('a caller that was told of the next key is never refused, and the old one is taken no more when it is over', async () => {
    const log = newLog();
    const caller = await newOperator(log);
    const [old, next] = [await createPeerIdentity(), await createPeerIdentity()];
    const start = (identity: PeerIdentity, otherPins: readonly PeerIdentity[]) =>
      startGateway({ log, identity, otherPins: otherPins.map(({ peerId }) => peerId) });
    const before = await start(old, [next]);
    const after = await start(next, [old]);
    const alone = await start(next, []);
    const changes: string[][] = [];
    const pins = new CollectorPins([old.peerId], (accepted) => changes.push([...accepted]));

    await expect(ask(after.url, pins, caller)).rejects.toMatchObject({ code: 'gbs-pin-mismatch' });
    await ask(before.url, pins, caller);
    await ask(after.url, pins, caller);
    await ask(before.url, pins, caller);
    expect(changes).toEqual([[old.peerId, next.peerId]]);
    await ask(alone.url, pins, caller);
    expect(pins.accepted).toEqual([next.peerId]);
    await expect(ask(before.url, pins, caller)).rejects.toMatchObject({ code: 'gbs-pin-mismatch' });
  });

  test.each([undefined, '', 'no pin', ['a', 'b'], 'A'.repeat(43).concat(',x'), Array(5).fill('A'.repeat(43)).join()])(
    'what is no list of pins changes nothing: %j',
    async (header) => {
      const { peerId } = await createPeerIdentity();
      const pins = new CollectorPins([peerId]);
      pins.told(header);
      expect(pins.accepted).toEqual([peerId]);
    },
  );
});
