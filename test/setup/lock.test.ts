import { expect, test } from 'vitest';
import { problemsOfLock } from './lock.ts';

const manifest = { version: '1.0.0', dependencies: { a: '1.0.0' } };
const a = { version: '1.0.0' };
const lockOf = (packages: Parameters<typeof problemsOfLock>[1]['packages']) => ({
  packages: { '': { dependencies: { a: '1.0.0' } }, ...packages },
});

test('a lock that has what every package needs is whole, wherever above it that lies', () => {
  const lock = lockOf({
    'node_modules/a': {
      ...a,
      dependencies: { b: '^2' },
      peerDependencies: { x: '*' },
      peerDependenciesMeta: { x: { optional: true } },
    },
    'node_modules/a/node_modules/b': { ...a, dependencies: { a: '1.0.0' } },
  });
  expect(problemsOfLock(manifest, lock)).toEqual([]);
});

test.each([
  [
    'lacks the binary of another platform',
    { 'node_modules/a': { ...a, optionalDependencies: { 'a-darwin': '1.0.0' } } },
  ],
  ['lacks a dependency', { 'node_modules/a': { ...a, dependencies: { b: '1' } } }],
  ['lacks a peer that is not optional', { 'node_modules/a': { ...a, peerDependencies: { b: '1' } } }],
  ['has another version', { 'node_modules/a': { ...a, version: '1.0.1' } }],
  ['names a registry', { 'node_modules/a': { ...a, resolved: 'https://registry.example/a.tgz' } }],
  ['lacks the package itself', {}],
])('a lock that %s is not', (_what, packages) => {
  expect(problemsOfLock(manifest, lockOf(packages))).not.toEqual([]);
});

test('a manifest that was changed without the lock is found', () => {
  const whole = lockOf({ 'node_modules/a': a });
  for (const dependencies of [{}, { a: '1.0.1' }, { a: '1.0.0', b: '1.0.0' }])
    expect(problemsOfLock({ ...manifest, dependencies }, whole)).not.toEqual([]);
});
