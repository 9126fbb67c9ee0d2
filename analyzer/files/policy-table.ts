/** The policy of each coding and tag. A rule that does not fit a coding is said once, and the coding's own policy stands. */
import type { Coding } from '#mesh/coding.ts';
import { describeError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { defaultPolicy, type Policy, type PolicyRule, policyFor } from '#mesh/policy.ts';

/** Tags come from operators, so there may be many: beyond this the table begins anew. */
const maxKnown = 10_000;

export class PolicyTable {
  readonly #rules: readonly PolicyRule[];
  readonly #logger: Logger;
  readonly #known = new Map<string, Policy>();

  constructor(rules: readonly PolicyRule[], logger: Logger) {
    this.#rules = rules;
    this.#logger = logger;
  }

  /** The same object for the same coding and tag, as long as the table has room. */
  readonly policyFor = (coding: Coding, tag: string): Policy => {
    const key = `${coding.k}/${coding.n}/${tag}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const policy = this.#find(coding, tag);
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(key, policy);
    return policy;
  };

  #find({ k, n }: Coding, tag: string): Policy {
    try {
      return policyFor(this.#rules, { k, n }, tag);
    } catch (error) {
      this.#logger.error(
        { k, n, tag, error: describeError(error) },
        'a policy rule does not fit a coding; files of it get the default policy: mend the rule, or give it a coding',
      );
      return defaultPolicy({ k, n });
    }
  }
}
