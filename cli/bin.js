#!/usr/bin/env node
// Starts the command on the Node that comes with the project: the machine's own may be older.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const oldest = 24;
if (Number(process.versions.node.split('.')[0]) >= oldest) {
  await import('./main.ts');
} else {
  const node = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
  if (!existsSync(node)) {
    process.stderr.write(
      `meshward needs Node ${oldest} or newer; this is ${process.version}, and the one that comes with the project is not installed.\n` +
        'Run `npm install` in the project (with install scripts allowed), or use a newer Node.\n',
    );
    process.exit(1);
  }
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  const { status, signal } = spawnSync(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  if (signal !== null) process.kill(process.pid, signal);
  process.exit(status ?? 1);
}
