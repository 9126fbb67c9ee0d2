import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { buildPage } from './build.ts';

test('the bundle is what its sources make (npm run generate)', async () => {
  for (const [name, text] of await buildPage()) {
    const committed = await readFile(new URL(`assets/${name}`, import.meta.url), 'utf8');
    expect(committed === text, `assets/${name} is fresh`).toBe(true);
  }
});
