/** What the story prints: chapters, lines, and promises that are kept or broken. */
import { MeshwardError } from '#mesh/errors.ts';

export interface Narrator {
  chapter(title: string): void;
  line(text: string): void;
  progress(label: string, total: number): { readonly update: (done: number) => void; readonly finish: () => void };
}

export interface KeptPromise {
  readonly promise: string;
  readonly kept: boolean;
  readonly detail: string;
}

/** @throws MeshwardError `promise-broken` at once where it is: what comes after would rest on it. */
export class Promises {
  readonly #narrator: Narrator;
  readonly list: KeptPromise[] = [];

  constructor(narrator: Narrator) {
    this.#narrator = narrator;
  }

  check(promise: string, kept: boolean, detail: string): void {
    this.list.push({ promise, kept, detail });
    this.#narrator.line(`${kept ? '✔' : '✘'} ${promise}: ${detail}`);
    if (kept) return;
    throw new MeshwardError('promise-broken', `${promise}: ${detail}`, {
      next: 'This is a defect. Please report it with the output above and the data directory.',
    });
  }
}
