/** Loads the C++ addon: a prebuilt one for this platform where there is one, else the one that build.js makes. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { platformFolder } from '#mesh/platform.js';
import type { NativeAddon } from './addon.ts';

/** In packages: a folder for each platform that they bring one for. */
const prebuiltFolder = fileURLToPath(new URL('./prebuilt', import.meta.url));
const prebuiltPath = join(prebuiltFolder, platformFolder(), 'meshward.node');
const builtPath = fileURLToPath(new URL('./build/meshward.node', import.meta.url));
const buildScript = fileURLToPath(new URL('./build.js', import.meta.url));

let loaded: NativeAddon | undefined;

/**
 * The addon. The first call loads it, and builds it where npm's install could not, or for another machine (some ten seconds, once).
 * A part's front whose exports are not in `NativeAddon` narrows it itself.
 * @throws MeshwardError `native-unavailable`, or `config-invalid` where MESHWARD_ISA names no level of this processor.
 */
export function loadNative(): NativeAddon {
  loaded ??= withForcedLevel(loadAddon(), process.env['MESHWARD_ISA']);
  return loaded;
}

/** The level that kernels run at, for example `gfni`. */
export function isaLevel(): string {
  return loadNative().isaLevel();
}

/** The levels that this processor can run, slowest first. */
export function isaLevelsSupported(): string[] {
  return loadNative().isaLevelsSupported();
}

function loadAddon(): NativeAddon {
  if (existsSync(prebuiltPath)) {
    try {
      return requireAddon(prebuiltPath);
    } catch (error) {
      // It may want a newer C library than this machine has.
      build(didNotLoad(prebuiltPath, error));
      return loadFrom(builtPath);
    }
  }
  if (!existsSync(builtPath)) {
    build(notThere());
    return loadFrom(builtPath);
  }
  try {
    return requireAddon(builtPath);
  } catch (error) {
    // The folder may come from another machine: a build compiles anew then, and is over at once where it does not.
    build(didNotLoad(builtPath, error));
    return loadFrom(builtPath);
  }
}

function build(occasion: string): void {
  const answer = spawnSync(process.execPath, [buildScript], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (answer.status === 0) return;
  const [reason, next] = (answer.error?.message ?? answer.stderr.trim()).split('\nWhat to do: ');
  throw unavailable(`${occasion}; building it failed: ${reason}`, answer.error, next);
}

function notThere(): string {
  if (!existsSync(prebuiltFolder)) return 'it was not built yet';
  const brought = readdirSync(prebuiltFolder).sort().join(', ');
  return `this package brings it compiled for ${brought}, and this machine is ${platformFolder()}`;
}

function loadFrom(path: string): NativeAddon {
  try {
    return requireAddon(path);
  } catch (error) {
    throw unavailable(didNotLoad(path, error), error);
  }
}

function requireAddon(path: string): NativeAddon {
  return createRequire(import.meta.url)(path) as NativeAddon;
}

function didNotLoad(path: string, error: unknown): string {
  return `${path} did not load: ${describeError(error)}`;
}

function withForcedLevel(addon: NativeAddon, level: string | undefined): NativeAddon {
  if (level === undefined || level === '' || addon.setIsaLevel(level)) return addon;
  const supported = addon.isaLevelsSupported().join(', ');
  throw new MeshwardError(
    'config-invalid',
    `MESHWARD_ISA=${level.slice(0, 20)} is not an instruction level of this processor`,
    {
      next: `Unset MESHWARD_ISA, or set it to one of: ${supported}.`,
    },
  );
}

function unavailable(reason: string, cause: unknown, next?: string): MeshwardError {
  return new MeshwardError(
    'native-unavailable',
    `the native addon is unavailable on ${process.platform}-${process.arch}: ${reason}`,
    {
      next:
        next ??
        'Install a C++20 compiler (Debian: apt-get install g++) and run: node native/build.js; its output says what is missing.',
      cause,
    },
  );
}
