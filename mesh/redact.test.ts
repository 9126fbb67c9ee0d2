import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBase32 } from './base32.ts';
import { formatCap, parseCap } from './caps.ts';
import { redactCaps, redactUserInfo } from './redact.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const words = fc.constantFrom('', 'error: unknown command ', "open '", '--cap=', 'x ');

describe('text that is shown', () => {
  test('never holds the key of a read cap, wherever the cap stands in it', () => {
    fc.assert(
      fc.property(bytes(16), bytes(32), words, words, (key, hash, before, after) => {
        const cap = `URI:CHK:${encodeBase32(key)}:${encodeBase32(hash)}:3:10:1000`;
        expect(parseCap(cap).kind).toBe('read');
        const shown = redactCaps(`${before}${cap}${after}`);
        expect(shown).not.toContain(encodeBase32(key));
        expect(shown).toContain('URI:CHK:(secret)');
        expect(shown.startsWith(before)).toBe(true);
      }),
    );
  });

  test('never holds the file of a literal cap, or the keys of mutable files and folders', () => {
    const literal = formatCap({ kind: 'literal', data: new Uint8Array(Buffer.from('my password')) });
    expect(redactCaps(literal)).toBe('URI:LIT:(secret)');
    expect(redactCaps('URI:SSK:abc:def')).toBe('URI:SSK:(secret)');
    expect(redactCaps('"URI:DIR2:abc:def" gone')).toBe('"URI:DIR2:(secret)" gone');
    expect(redactCaps('uri:chk:abcdef:x')).not.toContain('abcdef');
  });

  test('keeps verify caps, which are no secret', () => {
    const cap =
      'URI:CHK-Verifier:5fsbhvm3dzua36zgwfjbeg4bvy:wfnvz5cv5d4drq3fmqouhvamhtmlxxg5gt73gmry2s3ryh3h45aq:25:100:1048601';
    expect(redactCaps(`about ${cap}`)).toBe(`about ${cap}`);
  });

  test('has no name and password in addresses', () => {
    expect(redactUserInfo('http://ann:pass@host:8123/x')).toBe('http://(secret)@host:8123/x');
    expect(redactUserInfo('http://host/a@b')).toBe('http://host/a@b');
  });
});
