import { MeshwardError } from './errors.ts';

/** How a file is coded: any `k` of `n` shares give it back, `1 ≤ k ≤ n ≤ 256`. */
export interface Coding {
  readonly k: number;
  readonly n: number;
}

/** @throws MeshwardError `bad-coding` outside `1 ≤ k ≤ n ≤ 256`. */
export function checkCoding(k: number, n: number): Coding {
  if (!Number.isInteger(k) || !Number.isInteger(n) || k < 1 || k > n || n > 256) {
    throw new MeshwardError('bad-coding', `${k}-of-${n} is not a coding`, {
      next: 'Choose whole numbers with 1 ≤ k ≤ n ≤ 256, for example 25-of-100.',
    });
  }
  return { k, n };
}

/** @param text such as `25-of-100` or `25/100`. */
export function parseCoding(text: string): Coding {
  const match = /^(\d{1,3})(?:-of-|\/)(\d{1,3})$/.exec(text);
  if (match === null) {
    throw new MeshwardError('bad-coding', `"${text.slice(0, 40)}" is not a coding`, {
      next: 'Write it as 25-of-100: k, then n, with 1 ≤ k ≤ n ≤ 256.',
    });
  }
  return checkCoding(Number(match[1]), Number(match[2]));
}

export function formatCoding(coding: Coding): string {
  return `${coding.k}-of-${coding.n}`;
}
