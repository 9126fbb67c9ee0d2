import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findCompiler } from './build.js';

const codec = new URL('./codec.ts', import.meta.url).href;
const shareMap = new URL('./share-map.ts', import.meta.url).href;
let folder: string;
let library: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshward-threads-'));
  library = join(folder, 'refuse-threads.so');
  const source = fileURLToPath(new URL('./testing/refuse-threads.c', import.meta.url));
  const compiler = findCompiler();
  const { status, stderr } = spawnSync(
    compiler.command,
    [...compiler.arguments, '-x', 'c', '-O1', '-fPIC', '-shared', source, '-o', library, '-ldl'],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the program where it gets no more threads once it calls `refuse`, until it calls `allow`; gives what it prints. */
function runWithoutThreads(program: string): string {
  const file = join(folder, 'refuse');
  const lines = `
    import { rmSync, writeFileSync } from 'node:fs';
    const refuse = () => writeFileSync(${JSON.stringify(file)}, '');
    const allow = () => rmSync(${JSON.stringify(file)});
    ${program}
  `;
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module-typescript', '--no-warnings', '-e', lines],
    { encoding: 'utf8', env: { ...process.env, LD_PRELOAD: library, REFUSE_THREADS_FILE: file, NODE_OPTIONS: '' } },
  );
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  return stdout.trim();
}

describe('where the system gives no more threads', () => {
  test('regeneration is refused as `service-busy`, and done once there are some', () => {
    const said = runWithoutThreads(`
      import { encode, encodeAsync } from ${JSON.stringify(codec)};
      const primary = Array.from({ length: 25 }, (_, i) => new Uint8Array(300_000).fill(i));
      const request = { k: 25, n: 100, primary, wantedNumbers: Array.from({ length: 75 }, (_, i) => 25 + i) };
      refuse();
      console.log(await encodeAsync(request).catch((error) => error.code));
      allow();
      const shares = await encodeAsync(request);
      console.log(shares.every((share, i) => Buffer.compare(share, encode(request)[i]) === 0));
    `);
    expect(said).toBe('service-busy\ntrue');
  });

  test('a sweep is done by the thread that it has', () => {
    const said = runWithoutThreads(`
      import { NativeShareMap } from ${JSON.stringify(shareMap)};
      const map = new NativeShareMap({ maxFiles: 1e6, settleMs: 0 });
      const fileClass = map.addClass({ k: 1, n: 1, repairBelow: 1, policy: 0, byOwner: true });
      map.setPeers({ flags: new Uint8Array(1).fill(7), domains: new Uint16Array(0), domainCounts: new Uint32Array(0) });
      const files = 5000;
      const storageIndexes = new Uint8Array(files * 16);
      for (let i = 0; i < files; i++) new DataView(storageIndexes.buffer).setUint32(i * 16, i);
      const [uebHashes, sizesBytes] = [new Uint8Array(files * 32), new Float64Array(files)];
      map.registerFiles({ storageIndexes, uebHashes, sizesBytes, classes: new Uint32Array(files).fill(fileClass) }, 0);
      await map.sweep({ atMs: 1, threads: 1 });
      refuse();
      for (const threads of [2, 4]) {
        const swept = await map.sweep({ atMs: 1, threads });
        console.log(threads, swept.files.reduce((sum, count) => sum + count));
      }
    `);
    expect(said).toBe('2 5000\n4 5000');
  });
});
