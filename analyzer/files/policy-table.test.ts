import { describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '#mesh/logger.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { PolicyTable } from './policy-table.ts';

const coding = { k: 3, n: 10 };

describe('the policy table', () => {
  it('gives the same policy for the same coding and tag', () => {
    const { policyFor } = new PolicyTable(
      [{ name: 'gold', tag: 'gold', repairBelow: 9, repairUpTo: 10 }],
      silentLogger,
    );
    expect(policyFor(coding, 'gold')).toMatchObject({ name: 'gold', repairBelow: 9 });
    expect(policyFor(coding, 'gold')).toBe(policyFor({ ...coding }, 'gold'));
    expect(policyFor(coding, '')).toEqual(defaultPolicy(coding));
  });

  it('falls back to the default where a rule does not fit a coding, and says so once', () => {
    const errors: object[] = [];
    const logger: Logger = { ...silentLogger, error: (fields) => errors.push(fields) };
    const { policyFor } = new PolicyTable([{ name: 'high', repairBelow: 60, repairUpTo: 90 }], logger);
    expect(policyFor({ k: 25, n: 100 }, '')).toMatchObject({ name: 'high' });
    expect(policyFor(coding, '')).toEqual(defaultPolicy(coding));
    expect(policyFor(coding, '')).toEqual(defaultPolicy(coding));
    expect(errors).toMatchObject([{ k: 3, n: 10 }]);
  });
});
