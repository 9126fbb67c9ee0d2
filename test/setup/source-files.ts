/** Every source file that git knows or would take, but what is generated; paths from the root of the project. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

export function sourceFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' });
  return listed
    .split('\n')
    .filter((path) => /\/[^/]+\.(ts|js)$/.test(path) && !path.includes('/generated/') && existsSync(path));
}
