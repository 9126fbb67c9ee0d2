/** `npm run bench -- NAME [--json]`: runs one bench and prints its cases, one object a case with `--json`. */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { breakdownText } from './breakdown/text.ts';
import type { Bench, BenchCase } from './case.ts';

const notBenches: ReadonlySet<string> = new Set(['run', 'case']);
const [name, ...rest] = process.argv.slice(2);
const json = rest.includes('--json');
const names = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
  .map((file) => file.slice(0, -3))
  .filter((bench) => !notBenches.has(bench));

if (
  name === undefined ||
  name === '--help' ||
  !names.includes(name) ||
  !existsSync(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)))
) {
  console.error(`usage: npm run bench -- NAME [--json]\nbenches: ${names.join(', ')}`);
  process.exit(name === '--help' ? 0 : 2);
}

const { run } = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as { run: Bench };
const note = (line: string): void => console.error(line);
for await (const figure of run({ arguments: rest.filter((word) => word !== '--json'), note })) {
  console.log(json ? JSON.stringify(figure) : textOf(figure));
}

function textOf({ case: title, unit, ours, peers, spread, details = {}, breakdown = {} }: BenchCase): string {
  const others = Object.entries(peers).map(
    ([peer, value]) => `${peer} ${short(value)} (${(ours / value).toFixed(2)} ×)`,
  );
  const more = Object.entries(details).map(([name, value]) => `\n    ${short(value).padStart(10)} ${name}`);
  return `${title.padEnd(48)} ${short(ours).padStart(10)} ${unit.padEnd(10)} ±${(spread * 100).toFixed(0)} %  ${others.join('  ')}${more.join('')}${breakdownText(breakdown)}`;
}

function short(value: number): string {
  return value === 0 || Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
