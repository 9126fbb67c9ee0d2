/** What waits in the spool, by number: how many batches, and where its inventories begin. Batches count from when the spool was opened. */
import type { SegmentPlace } from './segment-files.ts';
import type { SpoolRecord } from './spool-record.ts';

export interface WaitingInventory extends SegmentPlace {
  readonly generation: number;
  /** How many batches were put into the spool before it. */
  readonly ordinal: number;
  isWhole: boolean;
}

export class WaitingBatches {
  #appended = 0;
  #passed = 0;
  #inventories: WaitingInventory[] = [];

  get count(): number {
    return this.#appended - this.#passed;
  }

  /** The newest inventory of which every part waits, or null. */
  get newestWholeInventory(): WaitingInventory | null {
    return this.#inventories.findLast((inventory) => inventory.isWhole) ?? null;
  }

  add({ generation, part, isLastPart }: Omit<SpoolRecord, 'payload'>, { segment, offset }: SegmentPlace): void {
    const ordinal = this.#appended++;
    if (generation > 0 && part === 0) {
      this.#inventories.push({ segment, offset, generation, ordinal, isWhole: false });
    }
    const newest = this.#inventories.at(-1);
    if (isLastPart && newest?.generation === generation) newest.isWhole = true;
  }

  passOne(): void {
    this.#passTo(this.#passed + 1);
  }

  /** @param inventory null passes everything. @returns what was passed. */
  passBefore(inventory: WaitingInventory | null): { batches: number; inventories: number } {
    const ordinal = inventory?.ordinal ?? this.#appended;
    const passed = {
      batches: ordinal - this.#passed,
      inventories: this.#inventories.filter((waiting) => waiting.ordinal < ordinal).length,
    };
    this.#passTo(ordinal);
    return passed;
  }

  #passTo(ordinal: number): void {
    this.#passed = ordinal;
    if ((this.#inventories[0]?.ordinal ?? ordinal) < ordinal) {
      this.#inventories = this.#inventories.filter((inventory) => inventory.ordinal >= ordinal);
    }
  }
}
