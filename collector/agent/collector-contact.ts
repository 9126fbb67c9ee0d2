/** How this agent stands with the collector, as the answers to its posts tell. */
import type { Logger } from '#mesh/logger.ts';
import type { AgentMetrics } from './metrics.ts';
import type { OwedInventory } from './owed-inventory.ts';
import type { PostAnswered } from './sender.ts';

export interface CollectorContactOptions {
  readonly metrics: AgentMetrics;
  readonly owed: OwedInventory;
  readonly log: Logger;
  /** The mesh has heard a later incarnation of this peer. @param isDoubled this one was heard as well: another agent has its key. */
  readonly onOutdated: (isDoubled: boolean) => void;
}

export class CollectorContact {
  readonly #options: CollectorContactOptions;
  #isReachable = false;
  /** A statement of this incarnation was taken; batches may be of earlier ones. */
  #wasHeard = false;
  #isDoubled = false;

  constructor(options: CollectorContactOptions) {
    this.#options = options;
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  /** Another agent speaks with this peer's key. */
  get isDoubled(): boolean {
    return this.#isDoubled;
  }

  readonly answered = ({ lane, ok, code }: PostAnswered): void => {
    const { metrics, owed } = this.#options;
    metrics.answer(lane, ok, code);
    this.#isReachable = ok;
    owed.setReachable(ok);
    if (ok && lane === 'peer') this.#wasHeard = true;
    if (!ok && code === 'peer-outdated') this.#outdated();
  };

  #outdated(): void {
    const { log, onOutdated } = this.#options;
    if (this.#wasHeard && !this.#isDoubled) {
      this.#isDoubled = true;
      log.error(
        {},
        "another agent speaks with this peer's key and is heard instead of this one. Stop one of the two: each machine needs a key of its own",
      );
    }
    onOutdated(this.#wasHeard);
  }
}
