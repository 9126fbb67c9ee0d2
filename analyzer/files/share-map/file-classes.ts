/** What files have in common, by number: coding, tag, origin and the policy that follows from them. */
import type { Coding } from '#mesh/coding.ts';
import type { FileRegistration, ManifestOrigin } from '#mesh/events/share-batch.ts';
import type { Policy } from '#mesh/policy.ts';
import { type NativeShareMap, noFileClass } from '#native/share-map.ts';
import { type FileBlock, originNumbers } from './stored-blocks.ts';

export interface ClassOfFiles extends Coding {
  readonly tag: string;
  readonly origin: ManifestOrigin;
  readonly policy: Policy;
}

export class FileClasses {
  readonly #core: NativeShareMap;
  readonly #policyFor: (coding: Coding, tag: string) => Policy;
  readonly #numbers = new Map<string, number>();
  readonly #classes: ClassOfFiles[] = [];
  readonly #policyNumbers = new Map<string, number>();
  readonly #policies: { readonly policy: Policy; readonly k: number }[] = [];

  constructor(core: NativeShareMap, policyFor: (coding: Coding, tag: string) => Policy) {
    this.#core = core;
    this.#policyFor = policyFor;
  }

  numberOf({ manifest: { k, n }, origin, tag }: FileRegistration): number {
    return n === 0 ? noFileClass : this.#classOf({ k, n }, origin, tag);
  }

  #classOf({ k, n }: Coding, origin: ManifestOrigin, tag: string): number {
    const key = `${k} ${n} ${origin} ${tag}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const { policy, number: policyNumber } = this.#policyOf({ k, n }, tag);
    const byOwner = origin === 'owner';
    const number = this.#core.addClass({ k, n, repairBelow: policy.repairBelow, policy: policyNumber, byOwner });
    this.#classes[number] = { k, n, tag, origin, policy };
    this.#numbers.set(key, number);
    return number;
  }

  /** Of every file of a block; with one look at the names for each kind of file in it. */
  numbersOf({ ks, ns, origins, tags, tagIndexes }: FileBlock): Uint32Array {
    const known = new Map<number, number>();
    return Uint32Array.from(ks, (k, i) => {
      const n = ns[i] as number;
      if (n === 0) return noFileClass;
      const tagIndex = tagIndexes[i] as number;
      const origin = origins[i] === originNumbers.owner ? 'owner' : 'derived';
      const key = ((tagIndex * 2 + (origin === 'owner' ? 1 : 0)) * 257 + k) * 257 + n;
      let number = known.get(key);
      if (number === undefined) {
        number = this.#classOf({ k, n }, origin, tags[tagIndex] as string);
        known.set(key, number);
      }
      return number;
    });
  }

  get(number: number): ClassOfFiles {
    return this.#classes[number] as ClassOfFiles;
  }

  /** A policy by the number that sweeps count by, with the k that its files' margins are counted from. */
  policy(number: number): { readonly policy: Policy; readonly k: number } {
    return this.#policies[number] as { readonly policy: Policy; readonly k: number };
  }

  /** Policies of equal content are one object and one number, so that tags without a rule of their own cost nothing. */
  #policyOf(coding: Coding, tag: string): { policy: Policy; number: number } {
    const policy = this.#policyFor(coding, tag);
    const key = JSON.stringify([coding.k, Object.entries(policy).sort(([a], [b]) => (a < b ? -1 : 1))]);
    let number = this.#policyNumbers.get(key);
    if (number === undefined) {
      number = this.#policies.length;
      this.#policies.push({ policy, k: coding.k });
      this.#policyNumbers.set(key, number);
    }
    return { policy: this.policy(number).policy, number };
  }
}
