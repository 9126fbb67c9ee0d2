import { expect, test } from 'vitest';
import type { ProofResult } from '#repairer/proofs/prove.ts';
import { realFile } from '#tahoe/share/example-shares.ts';
import { describeProof } from './file-prove.ts';

const { manifest } = realFile('3of10_1000');
const peerId = 'a'.repeat(43) as ProofResult['damaged'][number];
const proven: ProofResult = {
  id: 'p',
  outcome: 'proven',
  startedAtMs: 0,
  durationMs: 1000,
  shares: [1, 2, 3].map((shareNumber) => ({ shareNumber, peerId })),
  sharesLocated: 9,
  unreachable: 0,
  damaged: [],
  corrupt: [],
  bytesRead: 3000,
  bytesProven: 1000,
  plaintextSha256: null,
  errorCode: '',
  errorMessage: '',
};
const described = (change: Partial<ProofResult>): string =>
  describeProof({ ...proven, ...change }, { kind: 'verify', manifest }, { compared: false, nameOf: () => 'alder-01' });

test('a proof names the shares that were bad on the way, and the peers that cannot open theirs', () => {
  expect(described({})).toMatch(/^proven .* from shares 1,2,3 \(3-of-10, 9 found\) in 1\.0 s$/);
  expect(described({ corrupt: [{ shareNumber: 7, peerId }] })).toContain('; corrupt on the way: 7 on alder-01');
  const damaged = { damaged: [peerId] };
  const words = '; not to be read there, since a container is damaged: alder-01';
  expect(described(damaged)).toContain(words);
  expect(described({ ...damaged, outcome: 'failed', errorCode: 'not-enough-shares' })).toContain(words);
});
