import { describe, expect, test } from 'vitest';
import { check } from './check.js';

// The other ways (clang, thread, valgrind, arm64, fuzz) need tools that not every machine has: node native/check.js WAY…
describe('the native test programs hold', () => {
  test.each(['plain', 'address'] as const)('%s', { timeout: 600_000 }, async (way) => {
    const lines = await check(way);
    expect(lines).toContain(`${way}: codec: every check holds`);
    expect(lines).toContain(`${way}: encoding: every check holds`);
    expect(lines).toContain(`${way}: hash: every check holds`);
    expect(lines).toContain(`${way}: share map: every check holds`);
    expect(lines).toContain(`${way}: journal: every check holds`);
  });
});
