/** Which coding a file gets where its owner names none: 25-of-100, or what the peers that take shares have room for. */
import { type Coding, formatCoding } from '#mesh/coding.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { type Policy, type PolicyRule, policyFor } from '#mesh/policy.ts';

export const usualCoding: Coding = { k: 25, n: 100 };

/** A quarter of the shares give the file back, as in 25-of-100: one share for each of `peers`. */
export function codingFor(peers: number): Coding {
  const n = Math.max(1, Math.min(usualCoding.n, peers));
  return { k: Math.ceil(n / 4), n };
}

/** With so many shares, or more, a new file needs no repair. */
function fits({ repairBelow, maxSharesPerPeer }: Policy, peers: number): boolean {
  return peers * maxSharesPerPeer >= repairBelow;
}

export interface ChosenPolicy {
  readonly policy: Policy;
  /** Why it is not the usual one; empty where it is. */
  readonly note: string;
}

/**
 * @param peers how many take shares.
 * @throws MeshwardError `repair-no-target` where the coding that was asked for finds too few of them, and `fewest` are wanted or less than k could be placed.
 */
export function choosePolicy(
  rules: readonly PolicyRule[],
  tag: string,
  asked: Coding | undefined,
  peers: number,
  fewest: number | undefined,
): ChosenPolicy {
  const policy = policyFor(rules, asked ?? usualCoding, tag);
  const room = peers * policy.maxSharesPerPeer;
  if (asked === undefined) {
    if (fits(policy, peers)) return { policy, note: '' };
    const fitting = codingFor(peers);
    const alone = fitting.k === fitting.n ? ', and are lost with any of them' : '';
    return {
      policy: policyFor(rules, fitting, tag),
      note: `${countOf(peers)} shares, too few for ${formatCoding(usualCoding)}: files are stored ${formatCoding(fitting)}${alone} (--coding chooses another)`,
    };
  }
  if (room >= Math.max(policy.k, fewest ?? 0)) return { policy, note: '' };
  throw new MeshwardError(
    'repair-no-target',
    `${countOf(peers)} shares, ${policy.maxSharesPerPeer} of a file each: ${formatCoding(asked)} needs ${Math.max(policy.k, fewest ?? 0)} at the least`,
    {
      next: `Bring peers back or add some, or choose a coding that fits, such as --coding ${formatCoding(codingFor(peers))}.`,
      retryable: true,
    },
  );
}

function countOf(peers: number): string {
  return peers === 1 ? '1 peer takes' : `${peers} peers take`;
}
