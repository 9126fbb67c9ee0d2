/**
 * The rooms of the house, and which of them each may import: the one place where this stands. Fails on any other import between
 * rooms, in tests and fixtures too, and on any circle of files, types included.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { sourceFiles } from './source-files.ts';

const ground = ['mesh', 'access', 'native', 'tahoe', 'log', 'store', 'peers'] as const;

/** By room: the rooms that its files may import, beside its own. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  mesh: [],
  access: ['mesh'],
  native: ['mesh'],
  tahoe: ['mesh', 'native'],
  log: ['mesh'],
  store: ['mesh'],
  peers: ['mesh', 'tahoe', 'log'],
  collector: ground,
  analyzer: ground,
  repairer: ground,
  dashboards: ['mesh', 'store'],
  demo: [...ground, 'collector', 'analyzer', 'repairer', 'dashboards'],
  cli: [...ground, 'collector', 'analyzer', 'repairer', 'dashboards', 'demo'],
  bench: [...ground, 'collector', 'analyzer', 'repairer', 'dashboards', 'demo', 'cli', 'test'],
  package: ['mesh', 'native', 'store', 'cli'],
  test: [...ground, 'collector', 'analyzer', 'repairer', 'dashboards', 'demo', 'cli', 'package'],
};

/** What tests and fixtures of any room may use besides: real brokers, real grids. */
const forTests = ['test'];

export type Imports = ReadonlyMap<string, readonly string[]>;

/** Paths of files, each with the paths of the files of this project that it imports. */
export function readImports(files: readonly string[], read: (path: string) => string): Imports {
  return new Map(files.map((file) => [file, importsOf(file, read(file))]));
}

function importsOf(file: string, text: string): string[] {
  const named = text.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*'([.#][^']+)'/g);
  return [...named].map(([, path = '']) =>
    path.startsWith('#') ? path.slice(1) : normalize(join(dirname(file), path)),
  );
}

/** Imports that `mayImport` does not allow, one line each. */
export function strayImports(imports: Imports): string[] {
  return [...imports].flatMap(([file, targets]) => {
    const room = roomOf(file);
    const allowed = mayImport[room];
    if (allowed === undefined) return [`${file}: ${room}/ is no room (test/setup/rooms.ts lists them)`];
    const others = isForTests(file) ? [...allowed, ...forTests] : allowed;
    return targets
      .filter((target) => imports.has(target) && roomOf(target) !== room && !others.includes(roomOf(target)))
      .map((target) => `${file} imports ${target}: ${room}/ may import ${others.join(', ') || 'nothing of ours'}`);
  });
}

/** Files that import each other in a circle, each circle once (Tarjan's strongly connected components). */
export function circles(imports: Imports): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];

  function visit(file: string): void {
    order.set(file, order.size);
    lowest.set(file, order.get(file) as number);
    stack.push(file);
    for (const target of imports.get(file) ?? []) {
      if (!imports.has(target)) continue;
      if (!order.has(target)) visit(target);
      if (stack.includes(target)) lower(file, lowest.get(target) as number);
    }
    if (lowest.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1 || (imports.get(file) ?? []).includes(file)) found.push(circle.sort());
  }

  function lower(file: string, place: number): void {
    if (place < (lowest.get(file) as number)) lowest.set(file, place);
  }

  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return found;
}

function roomOf(path: string): string {
  return path.split('/')[0] as string;
}

function isForTests(path: string): boolean {
  return path.endsWith('.test.ts') || path.includes('/testing/');
}

/** @returns what is not in order with the rooms of this tree, one line each. */
export function lookAtRooms(): string[] {
  const imports = readImports(sourceFiles(), (path) => readFileSync(path, 'utf8'));
  return [...strayImports(imports), ...circles(imports).map((circle) => `a circle: ${circle.join(' → ')}`)];
}
