/** One append, cut into what goes to each partition, and whole again once every partition has answered. */
import type { MeshwardError } from '#mesh/errors.ts';
import type { AppendRecord, Position } from '../port.ts';
import type { LanePart } from './lane.ts';

export interface AppendParts {
  readonly parts: ReadonlyMap<number, LanePart>;
  /** In the order of the records. Rejects with the first failure, when nothing of the append is on its way any more. */
  readonly settled: Promise<readonly Position[]>;
}

export function splitAppend(records: readonly AppendRecord[], giveUpAtMs: number): AppendParts {
  const positions: Position[] = records.map(({ partition }) => ({ partition, offset: -1 }));
  const byPartition = Map.groupBy(records.keys(), (index) => (records[index] as AppendRecord).partition);
  const outcome = Promise.withResolvers<readonly Position[]>();
  let left = records.length;
  let failure: MeshwardError | null = null;

  const settle = (count: number): void => {
    left -= count;
    if (count === 0 || left > 0) return;
    if (failure === null) outcome.resolve(positions);
    else outcome.reject(failure);
  };
  const partOf = (partition: number, indexes: readonly number[]): LanePart => {
    let unsettled = indexes.length;
    const settleRest = (): void => {
      const rest = unsettled;
      unsettled = 0;
      settle(rest);
    };
    return {
      records: indexes.map((index) => records[index] as AppendRecord),
      giveUpAtMs,
      isAbandoned: () => {
        if (failure === null) return false;
        settleRest();
        return true;
      },
      written: (from, count, offset) => {
        for (let i = 0; i < count; i++) positions[indexes[from + i] as number] = { partition, offset: offset + i };
        unsettled -= count;
        settle(count);
      },
      failed: (error) => {
        failure ??= error;
        settleRest();
      },
    };
  };
  const parts = new Map([...byPartition].map(([partition, indexes]) => [partition, partOf(partition, indexes)]));
  return { parts, settled: outcome.promise };
}
