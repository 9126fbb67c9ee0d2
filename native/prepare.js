// Compiles what is native: the addon, and the launcher of the embedded ClickHouse. Run after `npm install`; both are also
// compiled at their first use, so that a failure here stops nothing but is told.
import { buildLauncher } from '../analyzer/store/embedded/build-launcher.js';
import { buildAddon } from './build.js';

for (const { what, build } of [
  { what: 'the native addon', build: () => buildAddon() },
  { what: 'the launcher of the embedded ClickHouse', build: () => buildLauncher() },
]) {
  try {
    await build();
  } catch (error) {
    process.stderr.write(
      `${what} could not be compiled: ${error instanceof Error ? error.message : String(error)}\nInstall g++ and make, then run: npm rebuild\n`,
    );
    process.exitCode = 1;
  }
}
