/** Writes the README of the chart with helm-docs, from its values and README.md.gotmpl: `node test/charts/readme.ts`. */
import { execFileSync } from 'node:child_process';
import { installChartTools } from './install.ts';
import { chartFolder } from './render.ts';

const tools = await installChartTools();
execFileSync(tools.path('helm-docs'), ['--chart-search-root', chartFolder], { stdio: 'inherit' });
