/**
 * BLAKE2b (RFC 7693), unkeyed, with a digest of 1 to 64 bytes. Lease records hold BLAKE2b-256 of the lease secrets
 * (FORMAT section 3), and node:crypto offers BLAKE2b-512 only, which is another function and not a longer form of it.
 * Made for a few short inputs: words are pairs of 32-bit halves (low, high), no BigInt.
 */

// biome-ignore format: the table of RFC 7693 section 2.7
const sigma = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3,
  11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4,
  7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8,
  9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13,
  2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9,
  12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11,
  13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10,
  6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5,
  10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0,
];

// The first 64 bits of the fractions of the square roots of the first eight primes, as SHA-512 begins: low, high.
// biome-ignore format: one word a line
const initial = Int32Array.of(
  0xf3bcc908, 0x6a09e667, 0x84caa73b, 0xbb67ae85, 0xfe94f82b, 0x3c6ef372, 0x5f1d36f1, 0xa54ff53a,
  0xade682d1, 0x510e527f, 0x2b3e6c1f, 0x9b05688c, 0xfb41bd6b, 0x1f83d9ab, 0x137e2179, 0x5be0cd19,
);

const blockBytes = 128;
const state = new Int32Array(16);
const work = new Int32Array(32);
const words = new Int32Array(32);

export function blake2b(input: Uint8Array, digestBytes: number): Uint8Array {
  if (!Number.isInteger(digestBytes) || digestBytes < 1 || digestBytes > 64) throw new RangeError('1 to 64 bytes');
  state.set(initial);
  state[0] = (state[0] as number) ^ 0x01010000 ^ digestBytes;
  const block = new Uint8Array(blockBytes);
  let done = 0;
  // The last block, full or not, is compressed with the final flag; an empty input is one block of zeros.
  while (input.length - done > blockBytes) {
    done += blockBytes;
    compress(input.subarray(done - blockBytes, done), done, false);
  }
  block.set(input.subarray(done));
  compress(block, input.length, true);
  const digest = new Uint8Array(64);
  const view = new DataView(digest.buffer);
  for (let i = 0; i < 16; i++) view.setInt32(i * 4, state[i] as number, true);
  return digest.slice(0, digestBytes);
}

function compress(block: Uint8Array, bytesSoFar: number, isLast: boolean): void {
  const view = new DataView(block.buffer, block.byteOffset, blockBytes);
  for (let i = 0; i < 32; i++) words[i] = view.getInt32(i * 4, true);
  work.set(state);
  work.set(initial, 16);
  work[24] = (work[24] as number) ^ (bytesSoFar | 0);
  work[25] = (work[25] as number) ^ Math.floor(bytesSoFar / 0x1_0000_0000);
  if (isLast) {
    work[28] = ~(work[28] as number);
    work[29] = ~(work[29] as number);
  }
  for (let round = 0; round < 12; round++) {
    const row = (round % 10) * 16;
    for (let i = 0; i < 4; i++) mix(i, 4 + i, 8 + i, 12 + i, row + 2 * i);
    for (let i = 0; i < 4; i++) mix(i, 4 + ((i + 1) & 3), 8 + ((i + 2) & 3), 12 + ((i + 3) & 3), row + 8 + 2 * i);
  }
  for (let i = 0; i < 16; i++) state[i] = (state[i] as number) ^ (work[i] as number) ^ (work[i + 16] as number);
}

/** The G function (RFC 7693 section 3.1) on words a, b, c, d with the two message words that `sigma` names at `at`. */
function mix(a: number, b: number, c: number, d: number, at: number): void {
  addWord(a, b, sigma[at] as number);
  rotateXor(d, a, 32);
  addWord(c, d, -1);
  rotateXor(b, c, 24);
  addWord(a, b, sigma[at + 1] as number);
  rotateXor(d, a, 16);
  addWord(c, d, -1);
  rotateXor(b, c, 63);
}

/** work[to] += work[from] + words[message] modulo 2^64; no message word where `message` is negative. */
function addWord(to: number, from: number, message: number): void {
  let low = ((work[2 * to] as number) >>> 0) + ((work[2 * from] as number) >>> 0);
  let high = (work[2 * to + 1] as number) + (work[2 * from + 1] as number);
  if (message >= 0) {
    low += (words[2 * message] as number) >>> 0;
    high += words[2 * message + 1] as number;
  }
  work[2 * to] = low | 0;
  work[2 * to + 1] = (high + Math.floor(low / 0x1_0000_0000)) | 0;
}

/** work[to] = (work[to] xor work[from]) rotated right by `bits`. */
function rotateXor(to: number, from: number, bits: 16 | 24 | 32 | 63): void {
  const low = (work[2 * to] as number) ^ (work[2 * from] as number);
  const high = (work[2 * to + 1] as number) ^ (work[2 * from + 1] as number);
  if (bits === 32) {
    work[2 * to] = high;
    work[2 * to + 1] = low;
  } else if (bits === 63) {
    work[2 * to] = (low << 1) | (high >>> 31);
    work[2 * to + 1] = (high << 1) | (low >>> 31);
  } else {
    work[2 * to] = (low >>> bits) | (high << (32 - bits));
    work[2 * to + 1] = (high >>> bits) | (low << (32 - bits));
  }
}
