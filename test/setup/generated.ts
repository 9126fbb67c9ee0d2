/** Makes every generated file anew beside the committed one and compares: a stale one fails. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'meshward-generated-'));
try {
  const template = JSON.stringify({
    version: 'v2',
    plugins: [{ local: 'protoc-gen-es', out: folder, opt: ['target=js+dts'] }],
    inputs: [{ directory: 'mesh' }],
  });
  const lint = spawnSync('buf', ['lint'], { stdio: 'inherit' });
  const made = spawnSync('buf', ['generate', '--template', template], { stdio: 'inherit' });
  const stale = readdirSync('mesh/generated').filter(
    (name) => readFileSync(join('mesh/generated', name), 'utf8') !== readOrEmpty(join(folder, name)),
  );
  for (const name of stale)
    console.error(`mesh/generated/${name} is not what mesh/events.proto makes: run npm run generate`);
  process.exitCode = lint.status === 0 && made.status === 0 && stale.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
