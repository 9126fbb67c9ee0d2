/**
 * Whether package-lock.json says all that an install would write into it, for every platform: found without the network, from what
 * the lock itself says that its packages need. A lock that was written on one platform alone may lack the binaries of all others.
 */
import { readFileSync } from 'node:fs';

interface Needs {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

interface LockedPackage extends Needs {
  readonly version?: string;
  readonly resolved?: string;
}

export interface Manifest extends Needs {
  readonly version: string;
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

const ofRoot = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const;

/** One line for each thing that an install would change; none where the lock is whole. */
export function problemsOfLock(manifest: Manifest, lock: Lock): readonly string[] {
  const root = lock.packages[''] ?? {};
  const problems: string[] = [];
  for (const kind of ofRoot) {
    const [wanted, locked] = [manifest[kind] ?? {}, root[kind] ?? {}];
    for (const name of new Set([...Object.keys(wanted), ...Object.keys(locked)])) {
      if (wanted[name] === locked[name]) continue;
      problems.push(
        `${name} is ${wanted[name] ?? 'not there'} in package.json and ${locked[name] ?? 'not there'} in the lock`,
      );
    }
  }
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const locked = lock.packages[`node_modules/${name}`]?.version;
    if (/^\d/.test(version) && locked !== version)
      problems.push(`${name} ${version} is locked as ${locked ?? 'nothing'}`);
  }
  for (const [path, locked] of Object.entries(lock.packages)) {
    if (locked.resolved !== undefined) problems.push(`${path} names the registry that it came from`);
    for (const name of neededBy(locked)) {
      if (!isFound(name, path, lock)) problems.push(`${path || 'the project'} needs ${name}, which is not in the lock`);
    }
  }
  return problems;
}

function neededBy(locked: LockedPackage): readonly string[] {
  const peers = Object.keys(locked.peerDependencies ?? {}).filter(
    (name) => locked.peerDependenciesMeta?.[name]?.optional !== true,
  );
  return [
    ...Object.keys({ ...locked.dependencies, ...locked.devDependencies, ...locked.optionalDependencies }),
    ...peers,
  ];
}

/** As Node looks for it: in the package itself, then beside it, then further up. */
function isFound(name: string, path: string, { packages }: Lock): boolean {
  for (let at = path; ; ) {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in packages) return true;
    if (at === '') return false;
    const up = at.lastIndexOf('/node_modules/');
    at = up === -1 ? '' : at.slice(0, up);
  }
}

if (import.meta.main) {
  const read = (name: string): unknown => JSON.parse(readFileSync(name, 'utf8'));
  const problems = problemsOfLock(read('package.json') as Manifest, read('package-lock.json') as Lock);
  for (const problem of problems) console.error(`package-lock.json: ${problem}`);
  if (problems.length > 0) console.error('Run `npm install` and commit the lock that it writes.');
  process.exitCode = problems.length === 0 ? 0 : 1;
}
