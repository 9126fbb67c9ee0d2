import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { parseBytes, parseCount, parseDuration } from './quantities.ts';

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['30min', 1_800_000],
    ['30m', 1_800_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['2 h', 7_200_000],
  ])('%s is %i ms', (text, expected) => {
    expect(parseDuration(text, '--for')).toBe(expected);
  });

  test.each(['', '10', 'h', '-1h', '1w', '1h30m', '1e9s', '99999999999999999d', 'NaNs'])('"%s" is refused', (text) => {
    expect(() => parseDuration(text, '--for')).toThrow(MeshwardError);
  });
});

describe('a size', () => {
  test.each([
    ['0', 0],
    ['1024', 1024],
    ['4MiB', 4_194_304],
    ['100MB', 100_000_000],
    ['1.5 GiB', 1_610_612_736],
  ])('%s is %i bytes', (text, expected) => {
    expect(parseBytes(text, '--rate')).toBe(expected);
  });

  test.each(['', 'MiB', '4mib', '-4', '4 M', '0x10', '99999999TiB'])('"%s" is refused', (text) => {
    expect(() => parseBytes(text, '--rate')).toThrow(MeshwardError);
  });
});

describe('a count', () => {
  test('is what it says within its bounds, and refused outside', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 5000, max: 10_000 }),
        (value, least, most) => {
          if (value >= least && value <= most) expect(parseCount(String(value), '--n', least, most)).toBe(value);
          else expect(() => parseCount(String(value), '--n', least, most)).toThrow(MeshwardError);
        },
      ),
    );
  });

  test.each(['', ' ', '1.5', '1e3', '-1', '+1', '0x1', 'NaN'])('"%s" is refused', (text) => {
    expect(() => parseCount(text, '--n', 0, 100)).toThrow(MeshwardError);
  });
});
