import { describe, expect, it } from 'vitest';
import type { PeerDrainAnswer } from '#analyzer/api/schemas.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { ManualClock } from '#mesh/testing/manual-clock.ts';
import { peerOf } from '#mesh/testing/share-events.ts';
import { describeDrains, waitUntilEmpty } from './peer-drain.ts';

const peers = [{ peerId: peerOf(1), name: 'alder-07' }];
const answer = (change: Partial<PeerDrainAnswer>): PeerDrainAnswer => ({
  peerId: peerOf(1),
  state: 'draining',
  maySwitchOff: false,
  reason: '',
  sharesLeft: 0,
  filesLeft: 0,
  sharesOfUnknownFiles: 0,
  freshness: { state: 'fresh', asOfMs: 1, reasons: [] },
  ...change,
});

describe('draining a peer', () => {
  it('is waited for until the peer may be switched off, telling how far it is, over an analyzer that is away', async () => {
    const clock = new ManualClock();
    const lines: string[] = [];
    const away = new MeshwardError('service-unavailable', 'away', { next: 'x', retryable: true });
    const said = [
      answer({ sharesLeft: 2, reason: '2 shares are nowhere else' }),
      away,
      answer({ sharesLeft: 2, reason: '2 shares are nowhere else' }),
      answer({ maySwitchOff: true }),
    ];
    const api = {
      drain: () => {
        const next = said.shift() as PeerDrainAnswer | MeshwardError;
        return next instanceof MeshwardError ? Promise.reject(next) : Promise.resolve(next);
      },
    };
    const waiting = waitUntilEmpty(peers, api, (line) => lines.push(line), clock, new AbortController().signal);
    for (let look = 0; look < 4; look++) await clock.advance(2_000);
    expect(await waiting).toMatchObject([{ maySwitchOff: true }]);
    expect(lines).toEqual(['alder-07 may NOT be switched off: 2 shares are nowhere else']);
  });

  it('says what goes with a peer that may be switched off', () => {
    expect(describeDrains(peers, [answer({ maySwitchOff: true, sharesOfUnknownFiles: 3 })])).toBe(
      'alder-07 may be switched off: what it holds is elsewhere too; 3 shares of files that nobody has registered go with it',
    );
  });
});
