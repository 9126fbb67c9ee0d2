/**
 * What operators command of campaigns, written into the log. Collectors keep nothing of their own: each writes the next
 * revision of what it read, and the log decides which of several counts. Whoever was not first is told so, and nothing of
 * what they wanted is done.
 */
import { randomUUID } from 'node:crypto';
import type { FollowedTable } from '#log/followed-table.ts';
import { commitCampaign } from '#log/revision-commit.ts';
import {
  afterCommand,
  type Campaign,
  type CampaignCommand,
  type CommandBy,
  isOver,
  newCampaign,
  type StartRules,
} from '#mesh/campaigns/campaign.ts';
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import type { CampaignPlan } from '#mesh/campaigns/plan.ts';
import { keyOf } from '#mesh/campaigns/records.ts';
import type { CampaignEntry, CampaignTable } from '#mesh/campaigns/table.ts';
import { MeshwardError } from '#mesh/errors.ts';

export interface CampaignDeskOptions {
  readonly followed: Pick<FollowedTable<CampaignTable>, 'table' | 'append' | 'catchUp'>;
  readonly rules: StartRules;
}

/** Campaigns in the topic: those that are over longest make room, and stay in the database. */
const maxCampaigns = 500;

export class CampaignDesk {
  readonly #options: CampaignDeskOptions;

  constructor(options: CampaignDeskOptions) {
    this.#options = options;
  }

  /** @throws MeshwardError `bad-input` where a campaign of this name is not over, `campaign-state` where there are too many. */
  async create(name: string, definition: CampaignDefinition, plan: CampaignPlan, by: CommandBy): Promise<Campaign> {
    const { followed } = this.#options;
    await followed.catchUp();
    const open = followed.table.campaigns().find((other) => other.name === name && !isOver(other.state));
    if (open !== undefined) {
      throw new MeshwardError('bad-input', `there is a campaign "${name}" already, which is ${open.state}`, {
        next: 'Choose another name, or cancel that one.',
      });
    }
    await this.#makeRoom();
    return this.#write(newCampaign(randomUUID(), name, definition, plan, by), null);
  }

  /**
   * @param revision that the operator has seen; null takes the one that stands.
   * @throws MeshwardError `campaign-unknown`, `campaign-changed`, and what the command itself refuses.
   */
  async command(id: string, revision: number | null, command: CampaignCommand, by: CommandBy): Promise<Campaign> {
    const { followed, rules } = this.#options;
    await followed.catchUp();
    const standing = followed.table.entry(id);
    if (standing === undefined) throw unknownCampaign(id);
    const { campaign } = standing;
    if (revision !== null && campaign.revision !== revision) throw changed(campaign);
    return this.#write(afterCommand(campaign, command, by, rules), standing);
  }

  async #write(next: Campaign, before: CampaignEntry | null): Promise<Campaign> {
    const { followed } = this.#options;
    if (await commitCampaign(followed, next, before)) return next;
    throw changed(followed.table.campaign(next.id) ?? next);
  }

  async #makeRoom(): Promise<void> {
    const { followed } = this.#options;
    const { table } = followed;
    if (table.size < maxCampaigns) return;
    const oldest = table.campaigns().findLast(({ state }) => isOver(state));
    if (oldest === undefined) {
      throw new MeshwardError('campaign-state', `there are ${maxCampaigns} campaigns, and none of them is over`, {
        next: 'Cancel those that are not needed.',
      });
    }
    const entry = table.entry(oldest.id);
    if (entry === undefined) return;
    const progress = table
      .progress(oldest.id)
      .map(({ partition, generation }) => keyOf({ kind: 'progress', id: oldest.id, partition, generation }));
    const key = keyOf({ kind: 'campaign', id: oldest.id, revision: oldest.revision, nonce: entry.nonce });
    await followed.append([...progress, key].map((each) => ({ key: each, value: null })));
  }
}

export function unknownCampaign(id: string): MeshwardError {
  return new MeshwardError('campaign-unknown', `there is no campaign ${id}`, {
    next: '`meshward campaign list` names those that there are.',
  });
}

function changed(campaign: Campaign): MeshwardError {
  const last = campaign.steps.at(-1);
  const who = last === undefined ? '' : `: ${last.operatorName || 'a service'} said "${last.what}"`;
  return new MeshwardError(
    'campaign-changed',
    `"${campaign.name}" was changed meanwhile${who}, and is ${campaign.state}; nothing was done`,
    { next: 'Look at it with `meshward campaign show`, and give the command again if it is still meant.' },
  );
}
