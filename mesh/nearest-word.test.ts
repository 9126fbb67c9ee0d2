import { expect, test } from 'vitest';
import { didYouMean, nearestWord } from './nearest-word.ts';

test.each([
  ['dwon', ['up', 'down', 'departed'], 'down'],
  ['DOWN', ['up', 'down'], 'down'],
  ['critcal', ['lost', 'critical'], 'critical'],
  ['us', ['up', 'down'], 'up'],
  ['xyzzy', ['up', 'down'], undefined],
  ['up', ['down'], undefined],
  ['log.topicPrefx', ['log.topicPrefix', 'log.directory'], 'log.topicPrefix'],
])('"%s" of %j is %s', (word, known, near) => {
  expect(nearestWord(word, known)).toBe(near);
});

test('it is asked only where something is near', () => {
  expect(didYouMean('dwon', ['down'])).toBe(' Did you mean down?');
  expect(didYouMean('x', ['down'])).toBe('');
});
