/** What packages hold the addon for. */
/** Older than that of any system that still gets updates: Debian 10, RHEL 8, Ubuntu 20.04. */
export const oldestGlibc = '2.28';

export interface Platform {
  /** As `platformFolder` names the machine that loads it. */
  readonly name: string;
  readonly arch: 'x64' | 'arm64';
  readonly libc: 'glibc' | 'musl';
}

export const platforms: readonly Platform[] = [
  { name: 'linux-x64', arch: 'x64', libc: 'glibc' },
  { name: 'linux-x64-musl', arch: 'x64', libc: 'musl' },
  { name: 'linux-arm64', arch: 'arm64', libc: 'glibc' },
  { name: 'linux-arm64-musl', arch: 'arm64', libc: 'musl' },
];
