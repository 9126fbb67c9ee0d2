/** Takes the inventory that a scan was made for: everything that the table holds, under the next generation. */
import type { BatchSink } from './batch-writer.ts';
import type { FolderView } from './folder-view.ts';
import { writeInventory } from './inventory.ts';
import type { AgentMetrics } from './metrics.ts';
import type { AgentContext } from './options.ts';
import type { Outbox } from './outbox.ts';
import type { OwedInventory } from './owed-inventory.ts';
import type { Reconciler } from './reconciler.ts';
import { otherFilesOf } from './status.ts';

export interface InventoryTakerOptions {
  readonly agent: Pick<AgentContext, 'clock' | 'log' | 'own'>;
  readonly folder: FolderView;
  readonly reconciler: Pick<Reconciler, 'setQuiet'>;
  readonly outbox: Pick<Outbox, 'hold'>;
  readonly batches: BatchSink;
  readonly owed: OwedInventory;
  readonly metrics: AgentMetrics;
}

export class InventoryTaker {
  readonly #options: InventoryTakerOptions;
  #lastAtMs: number | null = null;
  #scanDurationMs = 0;

  constructor(options: InventoryTakerOptions) {
    this.#options = options;
  }

  /** When the last one was written, or null. */
  get lastAtMs(): number | null {
    return this.#lastAtMs;
  }

  /** Counts a scan, whether or not an inventory is taken after it. */
  scanned(durationMs: number): void {
    this.#scanDurationMs = durationMs;
    this.#options.metrics.scanned(durationMs);
  }

  async take(signal: AbortSignal): Promise<void> {
    const { agent, folder, reconciler, outbox, batches, owed, metrics } = this.#options;
    const { state, root } = agent.own;
    const generation = await state.nextGeneration();
    // The mark must know every generation that was used, since it may outlive the state.
    await root.writeMark({ incarnation: state.incarnation, generation });
    const isWhole = await outbox.hold(() => {
      // From here on, changes come after the inventory, and so must be told one by one; what was lost before, it makes good.
      const columns = folder.table.columns();
      reconciler.setQuiet(false);
      owed.settled();
      return writeInventory({ columns, generation, batches, signal });
    });
    if (!isWhole) return;
    this.#lastAtMs = agent.clock.nowMs();
    metrics.inventory();
    const otherFiles = Object.fromEntries(Object.entries(otherFilesOf(folder)).filter(([, count]) => count > 0));
    agent.log.info(
      { generation, shares: folder.table.shareCount, durationMs: Math.round(this.#scanDurationMs), otherFiles },
      'an inventory was taken',
    );
  }
}
