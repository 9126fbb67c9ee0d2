/** Whether the collector is there, as the answers to posts tell. */
import type { AgentMetrics } from './metrics.ts';
import type { OwedInventory } from './owed-inventory.ts';
import type { PostAnswered } from './sender.ts';

export class CollectorContact {
  readonly #metrics: AgentMetrics;
  readonly #owed: OwedInventory;
  #isReachable = false;

  constructor(metrics: AgentMetrics, owed: OwedInventory) {
    this.#metrics = metrics;
    this.#owed = owed;
  }

  get isReachable(): boolean {
    return this.#isReachable;
  }

  readonly answered = ({ lane, ok, code }: PostAnswered): void => {
    this.#metrics.answer(lane, ok, code);
    this.#isReachable = ok;
    this.#owed.setReachable(ok);
  };
}
