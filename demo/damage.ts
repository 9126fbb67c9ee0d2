/** How to bring every file below a count of available shares without losing one: which disks to wipe after a zone is gone. */
import { type Random, shuffled } from '#mesh/clock.ts';

export interface DamageInput {
  /** For each file, the names of the peers that hold its shares: one share each. */
  readonly holders: readonly (readonly string[])[];
  readonly gone: ReadonlySet<string>;
  readonly peers: readonly string[];
  /** Every file is to have fewer shares than this. */
  readonly below: number;
  /** No file may have fewer than this. */
  readonly atLeast: number;
  readonly random: Random;
}

export interface Damage {
  readonly wiped: readonly string[];
  /** Shares that each file has afterwards, fewest and most. */
  readonly fewest: number;
  readonly most: number;
}

/** Wipes peers in random order, leaving out those that would bring a file below `atLeast`, until every file is below `below`. */
export function planDamage(input: DamageInput): Damage {
  const left = input.holders.map((names) => names.filter((name) => !input.gone.has(name)).length);
  const filesOf = new Map<string, number[]>();
  input.holders.forEach((names, file) => {
    for (const name of names) {
      const files = filesOf.get(name);
      if (files === undefined) filesOf.set(name, [file]);
      else files.push(file);
    }
  });
  const wiped: string[] = [];
  for (const name of shuffled(input.peers, input.random)) {
    if (Math.max(...left) < input.below) break;
    if (input.gone.has(name)) continue;
    const files = filesOf.get(name) ?? [];
    if (files.some((file) => (left[file] as number) - 1 < input.atLeast)) continue;
    for (const file of files) left[file] = (left[file] as number) - 1;
    wiped.push(name);
  }
  return { wiped, fewest: Math.min(...left), most: Math.max(...left) };
}
