// Compiles what is native: the addon, and the launcher of the embedded ClickHouse. Run after `npm install`; both are also
// compiled at their first use, so that a failure here stops nothing but is told.
import { buildLauncher } from '../analyzer/store/embedded/build-launcher.js';
import { buildAddon } from './build.js';

for (const [what, build] of [
  ['the native addon', buildAddon],
  ['the launcher of the embedded ClickHouse', buildLauncher],
]) {
  try {
    await build();
  } catch (error) {
    process.stderr.write(
      `${what} could not be compiled: ${error.message}\nInstall g++ and make, then run: npm rebuild\n`,
    );
    process.exitCode = 1;
  }
}
