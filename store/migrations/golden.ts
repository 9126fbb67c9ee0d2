/**
 * The whole schema as text, for each topology: what a reader wants to see, and what a change of the code must not change
 * unseen. `node store/migrations/golden.ts` writes the files in golden/; a test proves that they are fresh.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { renderDatabase, renderMigrationsTable, type SchemaContext, type Topology } from './engine.ts';
import { migrations } from './list.ts';

const topologies: readonly Topology[] = [
  { kind: 'single' },
  { kind: 'sharded', cluster: 'mesh' },
  { kind: 'cluster', cluster: 'mesh' },
];

export interface GoldenSchema {
  readonly path: string;
  readonly topology: Topology;
  readonly statements: readonly string[];
}

export const goldenSchemas: readonly GoldenSchema[] = topologies.map((topology) => ({
  path: fileURLToPath(new URL(`golden/${topology.kind}.sql`, import.meta.url)),
  topology,
  statements: statementsOf({ database: 'meshward', topology }),
}));

export function renderGolden({ topology, statements }: GoldenSchema): string {
  return `-- Topology ${topology.kind}. Generated: node store/migrations/golden.ts\n\n${statements.join(';\n\n')};\n`;
}

function statementsOf(context: SchemaContext): string[] {
  const steps = migrations.flatMap((migration) => migration.render(context));
  return [renderDatabase(context), renderMigrationsTable(context), ...steps];
}

if (import.meta.main) {
  for (const schema of goldenSchemas) await writeFile(schema.path, renderGolden(schema));
}
