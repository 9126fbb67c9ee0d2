/** Proofs that disagree with the margin, asked of the store beside the sweep and never waited for. */
import type { Clock } from '#mesh/clock.ts';
import type { DisputedProofs } from '#store/queries/disputed-proofs.ts';
import type { Alert } from './alert.ts';

export const proofAlertKey = 'proof-disagrees';
/** An older proof says little of today. */
const sinceMs = 30 * 86_400_000;
const askEveryMs = 60_000;

export interface DisputeWatchOptions {
  readonly ask: (sinceMs: number) => Promise<DisputedProofs>;
  readonly clock: Clock;
  readonly complain: (error: unknown, message: string) => void;
}

export class DisputeWatch {
  readonly #options: DisputeWatchOptions;
  #answer: DisputedProofs | null = null;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(options: DisputeWatchOptions) {
    this.#options = options;
  }

  /** Whether anything was ever answered: before, nobody can say that there is no such file. */
  get isKnown(): boolean {
    return this.#answer !== null;
  }

  /** What was answered last, which may be a minute old; asks anew where it is time. */
  alerts(): readonly Alert[] {
    const { ask, clock, complain } = this.#options;
    const now = clock.monotonicMs();
    if (now >= this.#nextMs) {
      this.#nextMs = now + askEveryMs;
      void ask(clock.nowMs() - sinceMs).then(
        (answer) => {
          this.#answer = answer;
        },
        (error: unknown) => complain(error, 'proofs cannot be read: whether they agree with the margins is not known'),
      );
    }
    return this.#answer === null ? [] : proofAlerts(this.#answer);
  }
}

export function proofAlerts({ files, bytes, examples }: DisputedProofs): readonly Alert[] {
  if (files === 0) return [];
  const some = examples.slice(0, 3).join(', ');
  return [
    {
      key: proofAlertKey,
      severity: 'page',
      summary: `${files === 1 ? '1 file' : `${files} files`} should be recoverable by the margin, and a proof could not recover ${files === 1 ? 'it' : 'them'}: ${some}${files > 3 ? ' and more' : ''}`,
      next: 'What was counted is not what is there. `meshward file prove CAP --times 10` tries again and names bad shares; peers that hold them verify and list anew.',
      files,
      bytes,
      details: Object.fromEntries(examples.map((index, at) => [`file ${at + 1}`, index])),
    },
  ];
}
