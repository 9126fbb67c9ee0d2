import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { chartFiles, chartFilesFolder } from './chart-files.ts';

test('dashboards and rules of the chart are those of this folder, and no others', async () => {
  const made = await chartFiles();
  const held = readdirSync(chartFilesFolder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.includes('.'),
  );
  expect(held.sort()).toEqual([...made.keys()].sort());
  for (const [name, text] of made)
    expect(readFileSync(new URL(name, chartFilesFolder), 'utf8') === text, `${name}: run npm run generate`).toBe(true);
});
