import { expect, test } from 'vitest';
import { optionsOf, titleOf } from './cases.ts';

const titles = (...words: readonly string[]): string[] => optionsOf(words).cases.map(titleOf);

test('what is named of a case is measured alone, with the usual rest', () => {
  expect(titles('--size', '10KB')).toEqual(['25-of-100, 10 KB, half missing, 120 peers, 8 at once']);
  expect(titles('--code', '3/10', '--at-once', '1')).toEqual(['3-of-10, 10 MB, half missing, 12 peers, 1 at once']);
});

test('several with commas are measured in turn, each with each', () => {
  expect(titles('--peers', '12,40', '--missing', 'half,all-but-k', '--no-sync')).toEqual([
    '25-of-100, 10 MB, half missing, 12 peers, 8 at once, no sync',
    '25-of-100, 10 MB, all but k missing, 12 peers, 8 at once, no sync',
    '25-of-100, 10 MB, half missing, 40 peers, 8 at once, no sync',
    '25-of-100, 10 MB, all but k missing, 40 peers, 8 at once, no sync',
  ]);
});

test.each([
  ['--peers', '12,'],
  ['--peers', 'many'],
  ['--missing', 'most'],
  ['--size', '10'],
  ['--code', '25'],
])('what is no case is refused: %s %s', (...words) => {
  expect(() => optionsOf(words)).toThrow(RangeError);
});

test('where the time went is told only where it is asked for', () => {
  expect(optionsOf([]).breakdown).toBe(false);
  expect(optionsOf(['--breakdown'])).toMatchObject({ breakdown: true, tahoe: true });
});

test('small files are repaired by as many at once as eight lanes hold, too', () => {
  expect(titles()).toContain('25-of-100, 10 KB, half missing, 120 peers, 64 at once');
});
