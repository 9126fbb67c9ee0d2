// Compiles what is native: the addon, and the launcher of the embedded ClickHouse. Run after `npm install`; both are also
// compiled at their first use, so that a failure here stops nothing but is told.

import { buildAddon } from '../native/build.js';
import { buildLauncher } from '../store/embedded/build-launcher.js';

for (const { what, build, needed } of [
  { what: 'the native addon', build: () => buildAddon(), needed: 'g++' },
  { what: 'the launcher of the embedded ClickHouse', build: () => buildLauncher(), needed: 'gcc' },
]) {
  try {
    await build();
  } catch (error) {
    const next = error.next ?? `Install ${needed} (Debian: apt-get install ${needed}), then run: node cli/prepare.js`;
    process.stderr.write(
      `${what} is not compiled: ${error.message}\nWhat to do: ${next}\nThe install goes on: it is compiled at its first use.\n`,
    );
  }
}
