/** Bundles the renderer into dist/app.js and dist/app.css: `npm run build`. */
import { build } from 'esbuild';

const { metafile } = await build({
  entryPoints: ['src/app.jsx'],
  outdir: 'dist',
  bundle: true,
  minify: true,
  metafile: true,
  jsx: 'automatic',
  alias: { 'react-custom-scrollbars-2': './src/scrollbars.js' },
  loader: { '.ttf': 'empty', '.svg': 'text', '.woff2': 'dataurl', '.woff': 'empty' },
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
});
for (const [path, { bytes }] of Object.entries(metafile.outputs))
  process.stdout.write(`${path} ${Math.round(bytes / 1024)} KiB\n`);
