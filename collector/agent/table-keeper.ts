/** Saves the share table when it is worth it: after scans, at the stop, and soon after the verifier changed a verdict. */
import { describeError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { ShareTable } from './share-table.ts';
import { saveTable } from './share-table-file.ts';
import type { Timers } from './timers.ts';

/** Verdicts reach the disk so much later, together. */
const saveDelayMs = 2000;
const timer = 'save-table';

export interface TableKeeperOptions {
  readonly path: string;
  readonly table: ShareTable;
  readonly timers: Timers;
  readonly log: Logger;
}

export class TableKeeper {
  readonly #options: TableKeeperOptions;
  #saving: Promise<void> = Promise.resolve();

  constructor(options: TableKeeperOptions) {
    this.#options = options;
  }

  saveSoon(): void {
    if (!this.#options.timers.has(timer)) this.#options.timers.after(timer, saveDelayMs, () => void this.save());
  }

  /** Never throws: without the file, the next start only takes longer. */
  save(): Promise<void> {
    const { path, table, timers, log } = this.#options;
    timers.cancel(timer);
    this.#saving = this.#saving
      .then(() => saveTable(path, table))
      .catch((error: unknown) => {
        log.warn(
          { error: describeError(error) },
          'the share table could not be saved; the next start opens all shares anew',
        );
      });
    return this.#saving;
  }
}
