/** What is told of one file. */
import type { Freshness } from '../mesh/freshness.ts';
import type { FileHealth, PlacementView } from './share-map/share-map.ts';

export interface FileAnswer {
  readonly health: FileHealth;
  readonly placements: readonly PlacementView[];
  readonly cause: string;
  readonly log10Loss: number;
  readonly listed: boolean;
  readonly freshness: Freshness;
}

/** Why nothing can be said of a file's health. */
export type Unanswered = 'unknown' | 'deleted' | 'without-manifest' | 'owned-elsewhere' | 'being-rebuilt';
