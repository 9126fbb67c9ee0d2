/**
 * One peer's life as a function of what it said and of log time:
 * `up → suspect → down → departed`, plus `draining` and `maintenance`.
 *
 * Grace before `down` adapts to the peer. Every outage that ended by itself is remembered for a while; a peer that comes
 * back after twenty minutes each day earns a grace above twenty minutes, within the bounds of the rules:
 *
 *     grace = clamp(2 × longest remembered outage, graceMs, graceMaxMs)
 *
 * where a remembered outage fades by half every `memoryHalfLifeMs`. Flapping is an exponentially fading count of outages.
 */

import type { PeerEventBody, PeerVitals, ReaderReportBody } from '#mesh/events/peer-event.ts';
import type { EventOrder } from '#mesh/incarnation.ts';
import { compareOrder } from '#mesh/incarnation.ts';
import type { Domains, PeerState } from '#mesh/peer-state.ts';

export interface LivenessRules {
  /** Silence before a peer is suspect, in heartbeats of that peer. */
  readonly suspectAfterHeartbeats: number;
  readonly defaultHeartbeatMs: number;
  readonly graceMs: number;
  readonly graceMaxMs: number;
  readonly departAfterMs: number;
  readonly memoryHalfLifeMs: number;
}

/** All that is kept of a peer; plain data, so that it can be stored and loaded. Times are log time. */
export interface PeerLife {
  readonly order: EventOrder;
  /** Place in its partition of peer-events of the newest event that is in here: what comes again changes nothing. −1: none. */
  readonly heardOffset: number;
  readonly state: PeerState;
  /** Null: known by others' words only, never heard. */
  readonly lastHeardMs: number | null;
  readonly stateSinceMs: number;
  /** The span between heartbeats: as the peer says itself, or else a smoothed one. */
  readonly heartbeatMs: number;
  /** Whether its heartbeats say their interval; those of older agents do not. */
  readonly saysInterval: boolean;
  readonly draining: boolean;
  /** By the wall clock of the log's ticks. 0: no window. */
  readonly maintenanceUntilMs: number;
  readonly departed: boolean;
  /** The longest outage that ended by itself, fading; and when it was remembered. */
  readonly rememberedOutageMs: number;
  readonly rememberedAtMs: number;
  readonly flapScore: number;
  readonly flapScoreAtMs: number;
  readonly name: string;
  readonly domains: Domains;
  readonly host: string;
  readonly port: number;
  readonly agentVersion: string;
  readonly capacityBytes: number;
  readonly vitals: PeerVitals | null;
  /**
   * Log time since when readers cannot reach it, though it is heard. Its shares are as little there as those of a silent peer.
   * Left out of lives that earlier releases stored, as the next one is; null: reached, or never tried.
   */
  readonly unreachableSinceMs?: number | null;
  /** Shares that it said to hold and that readers drew at random: found there, and not; both fading. */
  readonly claims?: { readonly held: number; readonly failed: number; readonly atMs: number } | null;
  /** Log time since when most of those failed, and how many held in a row since: until enough do, its word counts for nothing. */
  readonly doubt?: { readonly sinceMs: number; readonly heldInARow: number } | null;
}

export function newPeer(rules: LivenessRules, nowMs: number): PeerLife {
  return {
    order: { incarnation: 0, sequence: 0 },
    heardOffset: -1,
    state: 'down',
    lastHeardMs: null,
    stateSinceMs: nowMs,
    heartbeatMs: rules.defaultHeartbeatMs,
    saysInterval: false,
    draining: false,
    maintenanceUntilMs: 0,
    departed: false,
    rememberedOutageMs: 0,
    rememberedAtMs: nowMs,
    flapScore: 0,
    flapScoreAtMs: nowMs,
    name: '',
    domains: {},
    host: '',
    port: 0,
    agentVersion: '',
    capacityBytes: 0,
    vitals: null,
    unreachableSinceMs: null,
    claims: null,
    doubt: null,
  };
}

/** A peer that says it speaks less often than this is suspect in between: nobody would miss it for too long. */
const longestHeartbeatMs = 10 * 60_000;

/** The peer's life after what a reader met there. */
export function met(
  life: PeerLife,
  rules: LivenessRules,
  report: ReaderReportBody,
  nowMs: number,
  wallMs: number,
): PeerLife {
  if (report.kind === 'claims') {
    return judged(afterClaims(life, rules, report, nowMs), rules, nowMs, wallMs);
  }
  const unreachableSinceMs = report.reachable ? null : (life.unreachableSinceMs ?? nowMs);
  return judged({ ...life, unreachableSinceMs }, rules, nowMs, wallMs);
}

/** One bad share is rot. Three of them, and as many as were there, are a peer that does not hold what it says. */
const failuresToDoubt = 3;
const ratioToDoubt = 0.5;
/** So many in a row that are there again end the doubt, and what failed before it is forgotten. */
const heldToBelieve = 3;

function afterClaims(
  life: PeerLife,
  rules: LivenessRules,
  report: { readonly held: number; readonly failed: number },
  nowMs: number,
): PeerLife {
  const before = claimsOf(life, rules, nowMs);
  const claims = { held: before.held + report.held, failed: before.failed + report.failed, atMs: nowMs };
  const doubt = life.doubt ?? null;
  if (doubt === null) {
    const isDoubtful =
      claims.failed >= failuresToDoubt && claims.failed >= ratioToDoubt * (claims.held + claims.failed);
    return { ...life, claims, doubt: isDoubtful ? { sinceMs: nowMs, heldInARow: 0 } : null };
  }
  const heldInARow = report.failed > 0 ? 0 : doubt.heldInARow + report.held;
  if (heldInARow < heldToBelieve) return { ...life, claims, doubt: { ...doubt, heldInARow } };
  return { ...life, claims: { held: heldInARow, failed: 0, atMs: nowMs }, doubt: null };
}

/** How often of late what the peer said to hold was there, and was not. */
export function claimsOf(life: PeerLife, rules: LivenessRules, nowMs: number): { held: number; failed: number } {
  const { held, failed, atMs } = life.claims ?? { held: 0, failed: 0, atMs: nowMs };
  return { held: faded(held, nowMs - atMs, rules), failed: faded(failed, nowMs - atMs, rules) };
}

/** Whether the peer itself said it (its order counts), or an operator said it of the peer. */
export type Speaker = 'peer' | 'operator';

/**
 * The peer's life after one event. An event of the peer at or below its last one changes nothing.
 * @param nowMs log time, elapsed. @param wallMs the tick's wall time, for maintenance windows.
 */
export function heard(
  life: PeerLife,
  rules: LivenessRules,
  event: PeerEventBody,
  order: EventOrder,
  speaker: Speaker,
  nowMs: number,
  wallMs: number,
): PeerLife {
  if (speaker === 'peer') {
    if (compareOrder(order, life.order) <= 0) return life;
    const spoken = afterSilence({ ...life, order }, rules, nowMs);
    const departed = event.kind === 'depart';
    return judged({ ...spoken, ...changesOf(event), departed, lastHeardMs: nowMs }, rules, nowMs, wallMs);
  }
  return judged(
    { ...life, ...changesOf(event), departed: event.kind === 'depart' || life.departed },
    rules,
    nowMs,
    wallMs,
  );
}

function changesOf(event: PeerEventBody): Partial<PeerLife> {
  switch (event.kind) {
    case 'announce': {
      const { kind: _kind, ...facts } = event;
      // It may have another address from now on.
      return { ...facts, unreachableSinceMs: null };
    }
    case 'heartbeat':
      return {
        ...(event.vitals === null ? {} : { vitals: event.vitals }),
        ...(event.intervalMs === undefined
          ? { saysInterval: false }
          : { saysInterval: true, heartbeatMs: Math.min(event.intervalMs, longestHeartbeatMs) }),
      };
    case 'drain':
      return { draining: event.draining };
    case 'maintenance':
      return { maintenanceUntilMs: event.untilMs };
    case 'depart':
      return {};
  }
}

/** What the end of a silence teaches about the peer. */
function afterSilence(life: PeerLife, rules: LivenessRules, nowMs: number): PeerLife {
  if (life.lastHeardMs === null) return life;
  const silenceMs = nowMs - life.lastHeardMs;
  const isHeard = life.state !== 'suspect' && life.state !== 'down';
  const onlyUnreached = absentSinceMs(life) !== null && silenceMs < rules.suspectAfterHeartbeats * life.heartbeatMs;
  if (isHeard || onlyUnreached) return { ...life, heartbeatMs: learnedMs(life, silenceMs) };
  const remembered = Math.max(
    faded(life.rememberedOutageMs, nowMs - life.rememberedAtMs, rules),
    Math.min(silenceMs, rules.graceMaxMs),
  );
  return {
    ...life,
    // An agent that speaks less often than before looks suspect each time until that is learned; an outage teaches little.
    heartbeatMs: learnedMs(life, Math.min(silenceMs, rules.suspectAfterHeartbeats * life.heartbeatMs)),
    rememberedOutageMs: remembered,
    rememberedAtMs: nowMs,
    flapScore: faded(life.flapScore, nowMs - life.flapScoreAtMs, rules) + 1,
    flapScoreAtMs: nowMs,
  };
}

function learnedMs({ heartbeatMs, saysInterval }: PeerLife, silenceMs: number): number {
  // Heartbeats that come close together (after a stall) must not teach a span of nothing.
  if (saysInterval || silenceMs < heartbeatMs / 10) return heartbeatMs;
  return Math.min(longestHeartbeatMs, heartbeatMs * 0.8 + silenceMs * 0.2);
}

export function graceOf(life: PeerLife, rules: LivenessRules, nowMs: number): number {
  const earned = 2 * faded(life.rememberedOutageMs, nowMs - life.rememberedAtMs, rules);
  return Math.min(rules.graceMaxMs, Math.max(rules.graceMs, earned));
}

export function flapScoreOf(life: PeerLife, rules: LivenessRules, nowMs: number): number {
  return faded(life.flapScore, nowMs - life.flapScoreAtMs, rules);
}

/** The state that the peer is in at this moment of log time. */
export function judged(life: PeerLife, rules: LivenessRules, nowMs: number, wallMs: number): PeerLife {
  const state = stateOf(life, rules, nowMs, wallMs);
  return state === life.state ? life : { ...life, state, stateSinceMs: nowMs };
}

function stateOf(life: PeerLife, rules: LivenessRules, nowMs: number, wallMs: number): PeerState {
  if (life.departed) return 'departed';
  if (life.lastHeardMs === null) return life.maintenanceUntilMs > wallMs ? 'maintenance' : 'down';
  const silenceMs = nowMs - life.lastHeardMs;
  if (silenceMs < rules.suspectAfterHeartbeats * life.heartbeatMs) {
    const sinceMs = absentSinceMs(life);
    if (sinceMs !== null && life.maintenanceUntilMs > wallMs) return 'maintenance';
    if (sinceMs !== null) return nowMs - sinceMs < graceOf(life, rules, nowMs) ? 'suspect' : 'down';
    return life.draining ? 'draining' : 'up';
  }
  if (life.maintenanceUntilMs > wallMs) return 'maintenance';
  if (silenceMs < rules.suspectAfterHeartbeats * life.heartbeatMs + graceOf(life, rules, nowMs)) return 'suspect';
  return silenceMs < rules.departAfterMs ? 'down' : 'departed';
}

/** Since when its shares are not there for readers, though it is heard: it cannot be reached, or does not hold what it says. */
function absentSinceMs({ unreachableSinceMs, doubt }: PeerLife): number | null {
  const since = [unreachableSinceMs, doubt?.sinceMs].filter((each) => typeof each === 'number');
  return since.length === 0 ? null : Math.min(...since);
}

function faded(value: number, ageMs: number, rules: LivenessRules): number {
  return value * 2 ** (-Math.max(0, ageMs) / rules.memoryHalfLifeMs);
}
