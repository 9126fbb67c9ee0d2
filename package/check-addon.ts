/** Whether an addon that was compiled for a platform can run there: of its processor, wanting its C library alone, and an old one of that. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { oldestGlibc, type Platform } from './platforms.ts';

const run = promisify(execFile);
const machines = { x64: 'Advanced Micro Devices X86-64', arm64: 'AArch64' };
const ofLibc = { glibc: /^lib(c|m|dl|pthread)\.so\.\d$/, musl: /^libc\.so$/ };

/** @throws with all that is wrong. */
export async function checkAddon({ name, arch, libc }: Platform, path: string): Promise<void> {
  const { stdout } = await run('readelf', ['-hdVW', path]);
  const machine = /Machine:\s+(.*)/.exec(stdout)?.[1] ?? 'none';
  const needed = [...stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, library = '']) => library);
  const versions = [...stdout.matchAll(/Name: (\w+)_([\d.]+)/g)].map(([, from = '', version = '']) => ({
    from,
    version,
  }));
  const wrong = [
    ...(machine === machines[arch] ? [] : [`it is for the processor ${machine}`]),
    ...(needed.length > 0 ? [] : ['it wants no library at all']),
    ...needed.filter((library) => !ofLibc[libc].test(library)).map((library) => `it wants ${library}`),
    ...(versions.length > 0 === (libc === 'glibc') ? [] : ['its symbols have the versions of another C library']),
    ...versions
      .filter(({ from, version }) => from !== 'GLIBC' || isNewer(version, oldestGlibc))
      .map(({ from, version }) => `it wants ${from} ${version}`),
  ];
  if (wrong.length > 0) throw new Error(`${path} is no addon for ${name}: ${wrong.join('; ')}`);
}

function isNewer(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split('.').map(Number);
  return major > thanMajor || (major === thanMajor && minor > thanMinor);
}
