import { createHash } from 'node:crypto';
import type { SchemaContext, Topology } from './engine.ts';

/**
 * One step of the schema. Every statement may run again without harm (IF NOT EXISTS and the like): a step that was cut
 * short is simply run again. Steps that were released are never changed; a new step mends what an old one did.
 */
export interface Migration {
  readonly version: number;
  readonly name: string;
  render(context: SchemaContext): readonly string[];
}

const topologies: readonly Topology[] = [
  { kind: 'single' },
  { kind: 'sharded', cluster: 'CLUSTER' },
  { kind: 'cluster', cluster: 'CLUSTER' },
];

/** Of the text for every topology, whatever the database and the cluster are called: one step has one checksum everywhere. */
export function checksumOf(migration: Migration): string {
  const statements = topologies.flatMap((topology) => migration.render({ database: 'DATABASE', topology }));
  return createHash('sha256').update(statements.join(';\n')).digest('hex');
}
