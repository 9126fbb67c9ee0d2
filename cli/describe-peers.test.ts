import { expect, test } from 'vitest';
import { describeOutdated } from './describe-peers.ts';
import { samplePeer } from './testing/sample-answers.ts';

test('peers that are refused as outdated are named; revoked ones are refused for another reason', () => {
  const peers = [
    samplePeer('alder-01'),
    samplePeer('alder-02', { outdatedAtMs: 5 }),
    samplePeer('alder-03', { outdatedEvents: 2 }),
    samplePeer('alder-04', { outdatedAtMs: 5, revoked: true }),
  ];
  expect(describeOutdated(peers)).toEqual([
    'Refused as outdated: alder-02, alder-03. An agent lost its count of starts, or two agents have one key.',
  ]);
  expect(describeOutdated(peers.slice(0, 1))).toEqual([]);
});
