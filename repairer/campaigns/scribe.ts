/**
 * Keeps in the database what the log says of campaigns, and ends those of which every part is done. The owner of the first
 * partition does it; should two do it for a moment, rows replace each other and one end counts.
 */

import type { FollowedTable } from '#log/followed-table.ts';
import { commitCampaign } from '#log/revision-commit.ts';
import { afterCommand, type Campaign, runOf } from '#mesh/campaigns/campaign.ts';
import { totalsOf } from '#mesh/campaigns/progress.ts';
import type { CampaignEntry, CampaignTable } from '#mesh/campaigns/table.ts';
import type { Clock } from '#mesh/clock.ts';
import { type CampaignRow, type CampaignStepRow, campaignSteps, campaigns } from '#store/campaign-tables.ts';
import type { CampaignStore } from './ports.ts';

export interface ScribeOptions {
  readonly followed: FollowedTable<CampaignTable>;
  readonly store: Pick<CampaignStore, 'enqueue'>;
  /** Of at-risk: so many parts has a campaign. */
  readonly partitions: number;
  readonly clock: Clock;
}

const noRules = { approvalAboveFiles: 0, approvalAboveBytes: 0, planMaxAgeMs: 0 };

export class CampaignScribe {
  readonly #options: ScribeOptions;
  readonly #written = new Map<string, number>();

  constructor(options: ScribeOptions) {
    this.#options = options;
  }

  /** What was written before by another one is written again: it is the same. */
  forget(): void {
    this.#written.clear();
  }

  async look(): Promise<void> {
    const { followed } = this.#options;
    const { table } = followed;
    for (const campaign of table.campaigns()) {
      const entry = table.entry(campaign.id);
      if (entry === undefined || this.#written.get(campaign.id) === entry.version) continue;
      await this.#write(entry);
      this.#written.set(campaign.id, entry.version);
      await this.#end(entry);
    }
    await this.#writeOrders();
    for (const id of this.#written.keys())
      if (!id.includes('/') && table.entry(id) === undefined) this.#written.delete(id);
  }

  /** Who set calendars, limits and the brake, and what ran. */
  async #writeOrders(): Promise<void> {
    const { followed, store } = this.#options;
    const { table } = followed;
    const orders = [
      ...table.schedules().map(({ name, revision, steps }) => ({ id: `schedule/${name}`, name, revision, steps })),
      { id: 'limits/repair', name: 'repair', ...table.limits },
    ];
    for (const { id, name, revision, steps } of orders) {
      if (steps.length === 0 || this.#written.get(id) === revision) continue;
      await store.enqueue(campaignSteps, stepRows({ id, name, steps }));
      this.#written.set(id, revision);
    }
  }

  async #write({ campaign, version }: CampaignEntry): Promise<void> {
    const { store, followed } = this.#options;
    const parts = followed.table.progress(campaign.id).filter(({ run }) => run === runOf(campaign));
    await store.enqueue(campaigns, [campaignRow(campaign, totalsOf(parts), version)]);
    await store.enqueue(campaignSteps, stepRows(campaign));
  }

  async #end(entry: CampaignEntry): Promise<void> {
    const { followed, partitions, clock } = this.#options;
    const { campaign } = entry;
    if (campaign.state !== 'running') return;
    const parts = followed.table.progress(campaign.id).filter(({ run }) => run === runOf(campaign));
    const failure = parts.find((part) => part.failure !== '')?.failure;
    if (failure === undefined && parts.filter(({ finished }) => finished).length < partitions) return;
    const by = { operatorId: '', operatorName: '', why: failure ?? 'every file was dealt with', atMs: clock.nowMs() };
    const next = afterCommand(campaign, { what: failure === undefined ? 'finish' : 'fail' }, by, noRules);
    // Where an operator was faster, theirs counts, and this is looked at again.
    await commitCampaign(followed, next, entry);
  }
}

export function campaignRow(campaign: Campaign, totals: ReturnType<typeof totalsOf>, version: number): CampaignRow {
  const { id, name, state, createdAtMs, steps, definition, plan } = campaign;
  return {
    id,
    name,
    state,
    createdAt: createdAtMs,
    updatedAt: Math.max(totals.atMs, steps.at(-1)?.atMs ?? createdAtMs),
    createdBy: steps[0]?.operatorName || (steps[0]?.operatorId ?? ''),
    selection: JSON.stringify(definition),
    plan: JSON.stringify(plan),
    progress: JSON.stringify(totals),
    version,
  };
}

function stepRows({ id, name, steps }: Pick<Campaign, 'id' | 'name' | 'steps'>): CampaignStepRow[] {
  return steps.map(({ revision, atMs, what, operatorId, operatorName, why, planHash }) => {
    return { campaign: id, revision, at: atMs, name, what, operatorId, operatorName, why, planHash };
  });
}
