/** Campaigns for tests of every room. */
import type { CampaignDefinition } from '../definition.ts';
import type { CampaignPlan } from '../plan.ts';

export function sampleDefinition(change: Partial<CampaignDefinition> = {}): CampaignDefinition {
  return {
    kind: 'repair',
    selection: {},
    upTo: null,
    leave: [],
    onto: null,
    domainKind: null,
    priority: 'beside-repairs',
    budgetShare: 1,
    ...change,
  };
}

export function samplePlan(change: Partial<CampaignPlan> = {}): CampaignPlan {
  return {
    atMs: 0,
    files: 10,
    filesToRepair: 10,
    sharesToWrite: 20,
    sharesToRead: 250,
    bytesRead: 2500,
    bytesWritten: 200,
    peers: [],
    domains: [],
    duration: null,
    cost: { currency: 'EUR', read: 0, write: 0, keepMonthly: 0 },
    marginsBefore: [],
    marginsAfter: [],
    ninesGained: 0,
    stillAtRisk: [],
    ...change,
  };
}
