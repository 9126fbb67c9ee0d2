/** Where the record of a letter stood: `topic/partition@offset`, as analyzers write it. */
export interface RecordPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Null for what was refused before it was in the log. */
export function positionOf(source: string): RecordPosition | null {
  const match = /^(.+)\/(\d{1,6})@(\d{1,15})$/.exec(source);
  if (match === null) return null;
  return { topic: match[1] as string, partition: Number(match[2]), offset: Number(match[3]) };
}
