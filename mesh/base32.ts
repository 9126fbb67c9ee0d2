/** Base32 as Tahoe-LAFS writes it: RFC 3548 alphabet in lower case, no padding, high bits first. */

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
const valueOfCharCode = new Int8Array(128).fill(-1);
for (let value = 0; value < 32; value++) valueOfCharCode[alphabet.charCodeAt(value)] = value;

export function encodeBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let accumulator = 0;
  for (const byte of bytes) {
    accumulator = ((accumulator << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(accumulator >> bits) & 31];
    }
  }
  if (bits > 0) text += alphabet[(accumulator << (5 - bits)) & 31];
  return text;
}

/**
 * The bytes of `text`, or null where it is not canonical base32: a foreign character, an impossible length, or
 * non-zero bits after the last whole byte (two texts must never name the same bytes).
 */
export function decodeBase32(text: string): Uint8Array | null {
  const byteCount = Math.floor((text.length * 5) / 8);
  if (Math.ceil((byteCount * 8) / 5) !== text.length) return null;
  const bytes = new Uint8Array(byteCount);
  let bits = 0;
  let accumulator = 0;
  let position = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? (valueOfCharCode[code] as number) : -1;
    if (value < 0) return null;
    accumulator = ((accumulator << 5) | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[position++] = (accumulator >> bits) & 0xff;
    }
  }
  return (accumulator & ((1 << bits) - 1)) === 0 ? bytes : null;
}
