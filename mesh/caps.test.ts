import { describe, expect, test } from 'vitest';
import { formatCap, formatVerifyCap, parseCap, parseManifest } from './caps.ts';
import { hasCode } from './errors.ts';

const tail = 'mlnhnybfrydbjodsugg5kyyt7xlsd5d5akoozoyjhql2g2ivfofq:3:10:1000';
const readCap = `URI:CHK:aaaaaaaaaaaaaaaaaaaaaaaaaa:${tail}`;
const verifyCap = `URI:CHK-Verifier:lrjvinfstmdyvk4adlyj5vqv7m:${tail}`;
const literalCap = 'URI:LIT:nbswy3dp';

describe('a cap', () => {
  test.each([readCap, verifyCap, literalCap])('%s is written as it was read', (text) => {
    expect(formatCap(parseCap(` ${text}\n`))).toBe(text);
  });

  // `tahoe backup` makes these by the thousand.
  test.each([
    ['URI:DIR2-CHK:', readCap],
    ['URI:DIR2-CHK-Verifier:', verifyCap],
    ['URI:DIR2-LIT:', literalCap],
  ])('of an immutable directory, %s…, is that of the file which holds it', (prefix, file) => {
    const directory = prefix + file.slice(file.indexOf(':', 4) + 1);
    expect(parseCap(directory)).toEqual(parseCap(file));
  });

  test('of an immutable directory has the manifest that its shares are checked against', () => {
    const manifest = parseManifest(readCap.replace('CHK', 'DIR2-CHK'));
    expect(formatVerifyCap(manifest)).toBe(formatVerifyCap(parseManifest(readCap)));
    expect(parseManifest(verifyCap.replace('CHK-', 'DIR2-CHK-'))).toEqual(parseManifest(verifyCap));
  });

  test.each(['SSK', 'SSK-RO', 'SSK-Verifier', 'MDMF', 'DIR2', 'DIR2-RO', 'DIR2-Verifier', 'DIR2-MDMF', 'DIR2-MDMF-RO'])(
    'of kind %s is refused: it is mutable',
    (kind) => {
      expect(() => parseCap(`URI:${kind}:secretsecret:${'a'.repeat(52)}`)).toThrow(/mutable files or directories/);
    },
  );

  test.each([
    '',
    'URI',
    'URI:CHK',
    'URI:CHK:a:b:3:10',
    `${readCap}:more`,
    'URI:LIT:nbswy3dp:more',
    'URI:DIR2-LIT:not base 32',
    `URI:DIR2-DIR2-CHK:aaaaaaaaaaaaaaaaaaaaaaaaaa:${tail}`,
    `URI:CHK-Other:aaaaaaaaaaaaaaaaaaaaaaaaaa:${tail}`,
    `URI:DIR2-CHK:short:${tail}`,
  ])('that reads "%s" is refused, and not repeated', (text) => {
    let failure: unknown;
    try {
      parseCap(text);
    } catch (error) {
      failure = error;
    }
    expect(hasCode(failure, 'bad-cap')).toBe(true);
    expect(String(failure)).not.toContain('aaaaaaaa');
  });
});
