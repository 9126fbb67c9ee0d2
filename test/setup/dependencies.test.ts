import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { judgeAudit } from './audit.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const own = JSON.parse(read('package.json')) as Record<'dependencies' | 'devDependencies', Record<string, string>>;
const { packages } = JSON.parse(read('package-lock.json')) as {
  packages: Record<string, { license?: string; dev?: boolean }>;
};

const licences = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD'];
/** Of what builds and tests only, and is given to nobody. */
const licencesOfTools = [...licences, 'MPL-2.0'];

/** What is not allowed of `A OR B`, `(A AND B)`: each of AND must be, and one of OR. */
function isAllowed(licence: string, allowed: readonly string[]): boolean {
  const words = licence.replace(/[()]/g, '');
  if (words.includes(' OR ')) return words.split(' OR ').some((each) => isAllowed(each, allowed));
  return words.split(' AND ').every((each) => allowed.includes(each.trim()));
}

test('every package has a licence that Apache-2.0 goes with', () => {
  const strange = Object.entries(packages)
    .filter(([path]) => path !== '')
    .filter(([, { license = 'none', dev }]) => !isAllowed(license, dev === true ? licencesOfTools : licences))
    .map(([path, { license }]) => `${path}: ${license}`);
  expect(strange).toEqual([]);
  expect(isAllowed('(MIT AND GPL-3.0)', licences)).toBe(false);
  expect(isAllowed('GPL-3.0 OR MIT', licences)).toBe(true);
});

test('every dependency stands in docs/dependencies.md with its reason, and nothing else does', () => {
  const listed = [...read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(([, name]) => name);
  expect(listed.sort()).toEqual([...Object.keys(own.dependencies), ...Object.keys(own.devDependencies)].sort());
});

test('an audit fails on what is high or critical, and only says so where the registry does not answer', () => {
  const found = (high: number, critical: number) => ({ metadata: { vulnerabilities: { low: 3, high, critical } } });
  expect(judgeAudit(found(0, 0))).toMatchObject({ ok: true });
  expect(judgeAudit(found(1, 0))).toMatchObject({ ok: false });
  expect(judgeAudit(found(0, 1))).toMatchObject({ ok: false });
  expect(judgeAudit({ message: '405 Method Not Allowed' })).toMatchObject({
    ok: true,
    said: expect.stringContaining('405'),
  });
});
