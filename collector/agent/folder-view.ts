/** The share folder, and what the agent knows of it. */
import type { Oddities } from './oddities.ts';
import type { ShareRoot } from './share-root.ts';
import type { ShareTable } from './share-table.ts';

export interface FolderView {
  readonly root: ShareRoot;
  readonly table: ShareTable;
  readonly oddities: Oddities;
}
