/** Versions of rows that only the owner of a partition writes. */

/** Saves of one process that are told apart. Beyond this, rows of one ownership count in the order in which they came. */
export const savesOfGeneration = 2 ** 21;

/**
 * What an analyzer that has lost the partition still writes must not win over its successor, whatever their clocks say: the
 * generation comes first. On Kafka it is about the time in seconds, so both fit into 53 bits until the year 2106.
 */
export function versionOf(generation: number, save: number): number {
  return generation * savesOfGeneration + Math.min(save, savesOfGeneration - 1);
}
