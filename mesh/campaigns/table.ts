/** Campaigns, calendars and limits as the topic says: a fold over its records, which every service comes to alike. */
import type { Campaign } from './campaign.ts';
import { noLimits, type RepairLimits } from './limits.ts';
import type { CampaignProgress } from './progress.ts';
import { limitsId, parseKey, type RevisionedKind, readCampaigns } from './records.ts';
import { Revisioned, type RevisionedEntry } from './revisioned.ts';
import type { Schedule } from './schedule.ts';

export interface TableRecord {
  readonly offset: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

export interface CampaignEntry {
  readonly campaign: Campaign;
  readonly nonce: string;
  /** Of the newest record that says something of it or its progress: grows with each change. */
  readonly version: number;
}

export class CampaignTable {
  readonly #campaigns = new Revisioned<Campaign>();
  readonly #schedules = new Revisioned<Schedule>();
  readonly #limits = new Revisioned<RepairLimits>();
  readonly #progress = new Map<string, Map<number, CampaignProgress>>();
  readonly #progressedAt = new Map<string, number>();
  #nextOffset = 0;
  #unreadable = 0;

  /** The first offset that has not been applied. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Records that could not be read and were passed over. */
  get unreadable(): number {
    return this.#unreadable;
  }

  entry(id: string): CampaignEntry | undefined {
    const entry = this.#campaigns.entry(id);
    if (entry === undefined) return undefined;
    const { value: campaign, nonce, offset } = entry;
    return { campaign, nonce, version: Math.max(offset, this.#progressedAt.get(id) ?? 0) };
  }

  campaign(id: string): Campaign | undefined {
    return this.#campaigns.entry(id)?.value;
  }

  /** Newest first. */
  campaigns(): readonly Campaign[] {
    return this.#campaigns.values().toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  }

  get size(): number {
    return this.#campaigns.size;
  }

  /** Of every partition that told, in the order of partitions; what an earlier run of the campaign told is there too. */
  progress(id: string): readonly CampaignProgress[] {
    return [...(this.#progress.get(id)?.values() ?? [])].sort((a, b) => a.partition - b.partition);
  }

  progressOf(id: string, partition: number): CampaignProgress | undefined {
    return this.#progress.get(id)?.get(partition);
  }

  /** By name; those that were removed are left out. */
  schedules(): readonly Schedule[] {
    return this.#schedules
      .values()
      .filter(({ removed }) => !removed)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Also of one that was removed: its next revision follows on it. */
  scheduleEntry(name: string): RevisionedEntry<Schedule> | undefined {
    return this.#schedules.entry(name);
  }

  get limits(): RepairLimits {
    return this.limitsEntry?.value ?? noLimits;
  }

  get limitsEntry(): RevisionedEntry<RepairLimits> | undefined {
    return this.#limits.entry(limitsId);
  }

  /** Whether the record of this revision and nonce is the one that counted. */
  hasCounted(kind: RevisionedKind, id: string, revision: number, nonce: string): boolean {
    return this.#of(kind).hasCounted(id, revision, nonce);
  }

  caughtUpTo(nextOffset: number): void {
    this.#nextOffset = Math.max(this.#nextOffset, nextOffset);
  }

  apply(record: TableRecord): void {
    if (record.offset < this.#nextOffset) return;
    this.#nextOffset = record.offset + 1;
    const key = parseKey(record.key);
    if (key === null) return;
    if (record.value === null) {
      if (key.kind === 'progress') this.#forgetProgress(key.id, key.partition, key.generation);
      else if (this.#of(key.kind).forget(key.id, key.revision, key.nonce) && key.kind === 'campaign')
        this.#progress.delete(key.id);
      return;
    }
    try {
      const value = readCampaigns(record.value);
      if (value === null || value.kind !== key.kind) return;
      if (value.kind === 'progress') this.#takeProgress(value.progress, record.offset);
      else if (key.kind === 'progress') return;
      else if (value.kind === 'campaign') this.#campaigns.take(key.id, value.campaign, key.nonce, record.offset);
      else if (value.kind === 'schedule') this.#schedules.take(key.id, value.schedule, key.nonce, record.offset);
      else this.#limits.take(key.id, value.limits, key.nonce, record.offset);
    } catch {
      this.#unreadable++;
    }
  }

  #of(kind: RevisionedKind): Revisioned<Campaign> | Revisioned<Schedule> | Revisioned<RepairLimits> {
    return { campaign: this.#campaigns, schedule: this.#schedules, limits: this.#limits }[kind];
  }

  #takeProgress(progress: CampaignProgress, offset: number): void {
    const { campaignId: id, partition } = progress;
    const standing = this.progressOf(id, partition);
    if (standing !== undefined && standing.generation > progress.generation) return;
    const parts = this.#progress.get(id) ?? new Map<number, CampaignProgress>();
    this.#progress.set(id, parts.set(partition, progress));
    this.#progressedAt.set(id, offset);
  }

  #forgetProgress(id: string, partition: number, generation: number): void {
    if (this.progressOf(id, partition)?.generation === generation) this.#progress.get(id)?.delete(partition);
  }
}
