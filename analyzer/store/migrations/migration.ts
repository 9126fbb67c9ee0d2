import { createHash } from 'node:crypto';
import type { SchemaContext } from './engine.ts';

/**
 * One step of the schema. Every statement may run again without harm (IF NOT EXISTS and the like): a step that was cut
 * short is simply run again. Steps that were released are never changed; a new step mends what an old one did.
 */
export interface Migration {
  readonly version: number;
  readonly name: string;
  render(context: SchemaContext): readonly string[];
}

/** Of the text for one server, whatever the database is called: one step has one checksum everywhere. */
export function checksumOf(migration: Migration): string {
  const statements = migration.render({ database: 'DATABASE', topology: { kind: 'single' } });
  return createHash('sha256').update(statements.join(';\n')).digest('hex');
}
