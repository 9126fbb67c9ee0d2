/** Plans campaigns from what the store holds of files and the analyzer holds of peers. It reads, and changes nothing. */
import type { CampaignDefinition } from '#mesh/campaigns/definition.ts';
import { type CampaignPlan, makePlan, type PlanPeer, type PlanSpeed } from '#mesh/campaigns/plan.ts';
import type { Clock } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { isAvailableState, isCountedState, isWritableState, type PeerState } from '#mesh/peer-state.ts';
import { defaultPolicy, type Policy } from '#mesh/policy.ts';
import type { Store } from '#store/client.ts';
import { plannedGroups, plannedPeers, repairSpeed, selectedPolicies } from '#store/queries/campaigns.ts';
import type { TargetOfPolicy } from '#store/queries/selection-sql.ts';
import { SurvivalTable } from '../risk/survival.ts';

/** What a plan needs to know of a peer. */
export interface PlannerPeer {
  readonly peerId: PeerId;
  readonly name: string;
  readonly state: PeerState;
  readonly domains: Readonly<Record<string, string>>;
  readonly freeBytes: number;
}

export interface PlannerOptions {
  readonly store: Store;
  readonly peers: () => readonly PlannerPeer[];
  readonly config: Pick<Config, 'campaigns' | 'policies' | 'repairer' | 'api' | 'analyzer'>;
  readonly clock: Clock;
}

const speedSinceMs = 7 * 86_400_000;
/** Of fewer repairs than these nothing is concluded. */
const leastRepairs = 3;

/** @throws MeshwardError `store-unavailable`, `store-refused`. */
export async function planCampaign(options: PlannerOptions, definition: CampaignDefinition): Promise<CampaignPlan> {
  const { store, config, clock } = options;
  const nowMs = clock.nowMs();
  const known = options.peers();
  const leaving = new Set<string>(definition.leave);
  const peers = known.map((peer): PlanPeer => {
    const isWritable = isWritableState(peer.state) && !leaving.has(peer.peerId);
    return { ...peer, isWritable };
  });
  const readable = new Set<string>(known.filter(({ state }) => isAvailableState(state)).map(({ peerId }) => peerId));
  const writable = peers.filter(({ isWritable, peerId }) => isWritable && (definition.onto ?? peerId) === peerId);
  const targets = (await selectedPolicies(store, definition, nowMs)).map(({ policy, k, n }): TargetOfPolicy => {
    const rule = policyNamed(config.policies, policy, k, n);
    const upTo = Math.min(n, definition.upTo ?? rule.repairUpTo);
    return { policy, k, n, upTo, maxSharesPerDomain: rule.maxSharesPerDomain };
  });
  const uncounted = known.filter(({ state }) => !isCountedState(state)).map(({ peerId }) => peerId);
  const context = { definition, nowMs, targets, uncounted };
  const { groups, bytesToEachTarget } = await plannedGroups(store, context, writable.length);
  const held = await plannedPeers(store, context, writable.length);
  const { readPricePerGB, writePricePerGB, keepPricePerGBMonth, currency } = config.campaigns;
  const survival = new SurvivalTable(config.analyzer.priorShareLossRatio);
  const isMove = definition.kind !== 'repair' && definition.kind !== 'verify';
  // What a peer that is left still serves is copied from it; where one of them is away, it is made anew.
  const isCopy = isMove && definition.leave.every((peer) => readable.has(peer));
  const isSource = (peer: string): boolean =>
    readable.has(peer) && (!isCopy || leaving.size === 0 || leaving.has(peer));
  return makePlan({
    atMs: nowMs,
    groups,
    held: held.map((one) => (isSource(one.peerId) ? one : { ...one, bytesRead: 0 })),
    peers,
    bytesToEachTarget,
    onto: definition.onto,
    isVerify: definition.kind === 'verify',
    keepsMargin: definition.kind !== 'repair',
    isCopy,
    speed: await speedOf(options, definition, nowMs),
    prices: {
      currency,
      readPerGB: readPricePerGB,
      writePerGB: writePricePerGB,
      keepPerGBMonth: keepPricePerGBMonth,
    },
    log10Loss: (shares, k) => survival.log10Loss(shares, k),
  });
}

/** Histories keep a policy's name alone: the rule of that name, over what its coding gets. */
export function policyNamed(rules: Config['policies'], name: string, k: number, n: number): Policy {
  const base = defaultPolicy({ k, n });
  const rule = rules.find(
    (one) => one.name === name && (one.coding === undefined || (one.coding.k === k && one.coding.n === n)),
  );
  if (rule === undefined) return base;
  const { coding: _coding, tag: _tag, ...settings } = rule;
  return { ...base, ...settings };
}

/** What repairs of the last week moved a second, in the lanes of every repairer, within the budget. */
async function speedOf(
  { store, config }: PlannerOptions,
  { budgetShare }: CampaignDefinition,
  nowMs: number,
): Promise<PlanSpeed | null> {
  const { repairs, slowBytesPerSecond, fastBytesPerSecond } = await repairSpeed(store, nowMs - speedSinceMs);
  const repairers = Math.max(1, config.api.repairerUrls.length);
  const lanes = config.campaigns.lanes * repairers;
  const budget = config.repairer.bytesPerSecond * budgetShare * repairers;
  const limited = (bytesPerSecond: number): number =>
    budget === 0 ? bytesPerSecond : Math.min(budget, bytesPerSecond);
  const within = budget === 0 ? '' : `, within ${Math.round(budget)} bytes a second`;
  if (repairs < leastRepairs) {
    if (budget === 0) return null;
    const basis = `the budget alone${within}: hardly any repair was measured yet`;
    return { slowBytesPerSecond: budget / 4, fastBytesPerSecond: budget, basis };
  }
  return {
    slowBytesPerSecond: limited(slowBytesPerSecond),
    fastBytesPerSecond: limited(fastBytesPerSecond * lanes),
    basis: `${repairs} repairs of the last week, from one at a time and slow to ${lanes} at once and fast${within}`,
  };
}
