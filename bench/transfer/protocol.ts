/** What the bench of transfers says to the processes that put, get and prove, and what they tell. */
import type { Coding } from '#mesh/coding.ts';
import type { PlacedShare } from '#peers/locate.ts';
import type { WorkFigures } from '../repair/protocol.ts';

export interface StartClient {
  readonly nurls: readonly string[];
}

export interface FilesToPut {
  readonly path: string;
  readonly sizeBytes: number;
  readonly count: number;
  readonly coding: Coding;
  readonly atOnce: number;
}

export interface StoredFile {
  readonly readCap: string;
  readonly placements: readonly PlacedShare[];
}

export interface FilesToRead {
  readonly files: readonly StoredFile[];
  /** For what is got. */
  readonly folder: string;
  /** Of the content, which is compared after the measurement. */
  readonly sha256: string;
  readonly isAsking: boolean;
  readonly atOnce: number;
}

export interface ClientFigures extends WorkFigures {
  /** What was put, where something was. */
  readonly stored: readonly StoredFile[];
}
