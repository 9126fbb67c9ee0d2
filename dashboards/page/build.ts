/** Bundles the page out of app/ into assets/, which are committed: who installs Meshward builds nothing. `npm run generate`. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Libraries that stand in the bundle, with what their licences ask to be kept. */
const libraries = ['preact', 'uplot'] as const;

/** By the name under assets/. */
export async function buildPage(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['app.js', await script()],
    ['app.css', await styles()],
    ['licenses.txt', await licenses()],
  ]);
}

async function script(): Promise<string> {
  const bundle = await rolldown({
    input: here('app/main.tsx'),
    cwd: here('../..'),
    platform: 'browser',
    tsconfig: here('app/tsconfig.json'),
  });
  try {
    const { output } = await bundle.generate({ format: 'esm', minify: true, comments: { legal: false } });
    return `${output[0].code.trimEnd()}\n`;
  } finally {
    await bundle.close();
  }
}

async function styles(): Promise<string> {
  const own = (await readdir(here('app/styles'))).sort().map((name) => here(`app/styles/${name}`));
  const plot = fileURLToPath(import.meta.resolve('uplot/dist/uPlot.min.css'));
  const texts = await Promise.all([plot, ...own].map((path) => readFile(path, 'utf8')));
  return texts.map((text) => `${text.trim()}\n`).join('');
}

async function licenses(): Promise<string> {
  const texts = await Promise.all(
    libraries.map(async (name) => {
      const folder = here(`../../node_modules/${name}/`);
      const { version } = JSON.parse(await readFile(`${folder}package.json`, 'utf8')) as { version: string };
      return `${name} ${version}\n\n${(await readFile(`${folder}LICENSE`, 'utf8')).trim()}\n`;
    }),
  );
  return texts.join('\n');
}

if (import.meta.main) {
  for (const [name, text] of await buildPage()) await writeFile(here(`assets/${name}`), text);
}
