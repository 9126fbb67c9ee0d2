import type { Coding } from './coding.ts';
import { MeshwardError } from './errors.ts';

/**
 * When a file is mended and how its shares are spread. All thresholds count shares.
 * `k ≤ criticalBelow ≤ repairBelow ≤ repairUpTo ≤ n` holds for every policy.
 */
export interface Policy extends Coding {
  /** Shown to people and stored with histories. */
  readonly name: string;
  /** A file with fewer counted shares (available and in grace) is repaired. */
  readonly repairBelow: number;
  /** A repair restores this many available shares: well above the trigger, so that files do not come back at once. */
  readonly repairUpTo: number;
  /** Below this a file is critical: it overtakes, and no brake holds its repair. */
  readonly criticalBelow: number;
  /** Most shares of one file on one peer. */
  readonly maxSharesPerPeer: number;
  /** Most shares of one file in one failure domain of each kind. */
  readonly maxSharesPerDomain: number;
}

/** Thresholds as parts of the span from k to n, so that one rule serves every coding. */
export interface PolicyRule {
  readonly name: string;
  readonly coding?: Coding;
  readonly tag?: string;
  readonly repairBelow?: number;
  readonly repairUpTo?: number;
  readonly criticalBelow?: number;
  readonly maxSharesPerPeer?: number;
  readonly maxSharesPerDomain?: number;
}

/**
 * The policy that a coding gets where no rule says otherwise: repair below a third of the way from k to n (25-of-100: 50),
 * up to nine tenths of it (93), critical below an eighth (35).
 */
export function defaultPolicy(coding: Coding): Policy {
  const { k, n } = coding;
  const span = n - k;
  const at = (part: number): number => Math.min(n, k + Math.ceil(span * part));
  return {
    name: `${k}-of-${n}`,
    k,
    n,
    criticalBelow: at(1 / 8),
    repairBelow: at(1 / 3),
    repairUpTo: at(9 / 10),
    maxSharesPerPeer: 1,
    // The loss of a whole domain leaves a full file at its repair threshold.
    maxSharesPerDomain: Math.max(1, n - at(1 / 3)),
  };
}

/** The first rule that fits the file's tag and coding, over the defaults of its coding. */
export function policyFor(rules: readonly PolicyRule[], coding: Coding, tag: string): Policy {
  const base = defaultPolicy(coding);
  for (const rule of rules) {
    if (rule.tag !== undefined && rule.tag !== tag) continue;
    if (rule.coding !== undefined && (rule.coding.k !== coding.k || rule.coding.n !== coding.n)) continue;
    const { coding: _coding, tag: _tag, ...settings } = rule;
    const policy: Policy = { ...base, ...settings };
    checkPolicy(policy);
    return policy;
  }
  return base;
}

/** @throws MeshwardError `config-invalid` where the thresholds are out of order. */
export function checkPolicy(policy: Policy): void {
  const { k, n, criticalBelow, repairBelow, repairUpTo } = policy;
  const ordered = k <= criticalBelow && criticalBelow <= repairBelow && repairBelow <= repairUpTo && repairUpTo <= n;
  if (ordered && policy.maxSharesPerPeer >= 1 && policy.maxSharesPerDomain >= 1) return;
  throw new MeshwardError(
    'config-invalid',
    `policy "${policy.name}" for ${k}-of-${n}: criticalBelow ${criticalBelow}, repairBelow ${repairBelow}, repairUpTo ${repairUpTo}`,
    { next: 'Set k ≤ criticalBelow ≤ repairBelow ≤ repairUpTo ≤ n, and at least one share a peer and a domain.' },
  );
}
