/** Why work is held back at this moment: bulk repair, files of campaigns, and drains, each for what goes before it. */
import type { CampaignPriority } from '#mesh/campaigns/definition.ts';
import type { RepairOrders } from './options.ts';
import type { PeersWatch } from './peers-watch.ts';
import type { RepairClass } from './queue/risk.ts';

export interface HoldsOptions {
  readonly watch: Pick<PeersWatch, 'holdReason' | 'freshness'>;
  readonly orders: Pick<RepairOrders, 'brakeWord' | 'isWindowOpen'> | undefined;
  /** Files that could be taken, by class. */
  readonly waiting: () => Readonly<Record<RepairClass, number>>;
  /** Whether the whole list of files at risk has been read. */
  readonly isLoaded: () => boolean;
  readonly isStopping: () => boolean;
  readonly maxConcurrentRepairs: number;
}

export class Holds {
  readonly #options: HoldsOptions;

  constructor(options: HoldsOptions) {
    this.#options = options;
  }

  /** Why files that are not critical are left alone for now; null where they are not. */
  ofBulk(): string | null {
    const { orders, watch } = this.#options;
    const word = orders?.brakeWord() ?? null;
    if (word?.says === 'hold') return `${word.by} holds bulk repair: ${word.why}`;
    // An operator may override the brake, but nobody knows better than peers whose states are not known.
    const { holdReason, freshness } = watch;
    if (holdReason !== null && (word === null || !freshness.isFresh)) return holdReason;
    return orders?.isWindowOpen() === false ? 'no repair window is open at this time' : null;
  }

  /** Why no file of a campaign may be begun now; empty where one may. */
  ofCampaign(priority: CampaignPriority): string {
    if (this.#options.isStopping()) return 'the repairer is stopping';
    if (!this.#options.isLoaded()) return 'the list of files at risk is being read';
    const { critical, 'at-risk': atRisk, degraded } = this.#options.waiting();
    if (critical > 0) return 'critical files go first';
    const hold = this.ofBulk();
    if (hold !== null) return hold;
    return priority === 'after-repairs' && atRisk + degraded > 0 ? 'files at risk go first' : '';
  }

  /** Draining waits while a repair does, and for whatever holds bulk repair. @param busyLanes of bulk repair. */
  roomForDrains(busyLanes: number): number {
    const { critical, 'at-risk': atRisk, degraded } = this.#options.waiting();
    if (this.ofBulk() !== null || critical + atRisk + degraded > 0) return 0;
    return Math.max(0, Math.floor(this.#options.maxConcurrentRepairs - busyLanes));
  }
}
