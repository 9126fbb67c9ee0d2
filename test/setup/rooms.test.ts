import { expect, test } from 'vitest';
import { circles, lookAtRooms, readImports, strayImports } from './rooms.ts';

const files: Readonly<Record<string, string>> = {
  'mesh/a.ts': "import { b } from './b.ts';",
  'mesh/b.ts': "import type { A } from './a.ts';",
  'mesh/c.ts': "export { x } from '#log/x.ts';",
  'log/x.ts': "import type { A } from '#mesh/a.ts';",
  'log/x.test.ts': "import { y } from '#test/y.ts';",
  'analyzer/z.ts': "const q = await import('#repairer/q.ts');",
  'repairer/q.ts': '',
  'test/y.ts': '',
  'attic/old.ts': '',
};
const imports = readImports(Object.keys(files), (path) => files[path] as string);

test('an import from a room that may not be imported is told, however it is written', () => {
  expect(strayImports(imports)).toEqual([
    'mesh/c.ts imports log/x.ts: mesh/ may import nothing of ours',
    'analyzer/z.ts imports repairer/q.ts: analyzer/ may import mesh, access, native, tahoe, log, store, peers',
    'attic/old.ts: attic/ is no room (test/setup/rooms.ts lists them)',
  ]);
});

test('a circle is told, though only types make it', () => {
  expect(circles(imports)).toEqual([['mesh/a.ts', 'mesh/b.ts']]);
});

test('this house keeps to its rooms', () => {
  expect(lookAtRooms()).toEqual([]);
});
