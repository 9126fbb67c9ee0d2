/** The rules by which every service judges peers, from the one configuration: so that analyzer and repairer come to one judgement. */
import type { Config } from '#mesh/config/schema.ts';
import type { LivenessRules } from './peer-liveness.ts';

const outageMemoryHalfLifeMs = 24 * 3_600_000;

export function livenessRules({ analyzer, agent }: Pick<Config, 'analyzer' | 'agent'>): LivenessRules {
  const { suspectAfterHeartbeats, graceMs, graceMaxMs, departAfterMs } = analyzer;
  return {
    suspectAfterHeartbeats,
    defaultHeartbeatMs: agent.heartbeatMs,
    graceMs,
    graceMaxMs,
    departAfterMs,
    memoryHalfLifeMs: outageMemoryHalfLifeMs,
  };
}

/** Ticks that come further apart than this many of their interval count as one step of log time. */
const maxTickSteps = 3;

export function maxTickStepMs({ collector }: Pick<Config, 'collector'>): number {
  return collector.tickMs * maxTickSteps;
}
