import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PeerEventBody, type ReaderReportBody } from '#mesh/events/peer-event.ts';
import { LogTime } from './log-time.ts';
import {
  claimsOf,
  flapScoreOf,
  graceOf,
  heard,
  judged,
  type LivenessRules,
  met,
  newPeer,
  type PeerLife,
} from './peer-liveness.ts';

const rules: LivenessRules = {
  suspectAfterHeartbeats: 2.5,
  defaultHeartbeatMs: 10_000,
  graceMs: 60_000,
  graceMaxMs: 600_000,
  departAfterMs: 86_400_000,
  memoryHalfLifeMs: 3_600_000,
};

class Peer {
  life: PeerLife = newPeer(rules, 0);
  #sequence = 0;

  says(event: PeerEventBody, nowMs: number): this {
    this.life = heard(this.life, rules, event, { incarnation: 1, sequence: ++this.#sequence }, 'peer', nowMs, nowMs);
    return this;
  }

  beats(fromMs: number, toMs: number): this {
    for (let at = fromMs; at <= toMs; at += 10_000) this.says({ kind: 'heartbeat', vitals: null }, at);
    return this;
  }

  met(report: ReaderReportBody, nowMs: number): this {
    this.life = met(this.life, rules, report, nowMs, nowMs);
    return this;
  }

  stateAt(nowMs: number): string {
    this.life = judged(this.life, rules, nowMs, nowMs);
    return this.life.state;
  }
}

const unreached = { kind: 'reach', reachable: false, reason: 'no connection' } as const;
const reached = { kind: 'reach', reachable: true, reason: '' } as const;

describe('a peer that readers meet', () => {
  it('counts as silent while it is heard and cannot be reached, through grace to down, and is up again when it is', () => {
    const peer = new Peer().beats(0, 100_000).met(unreached, 100_000);
    expect(peer.stateAt(100_000)).toBe('suspect');
    peer.beats(110_000, 150_000);
    expect(peer.stateAt(150_000)).toBe('suspect');
    peer.beats(160_000, 200_000);
    expect(peer.stateAt(200_000)).toBe('down');
    // Being heard is no end of an outage: it does not flap, and its heartbeats are learned on.
    expect(flapScoreOf(peer.life, rules, 200_000)).toBe(0);
    expect(peer.met(reached, 200_000).stateAt(200_000)).toBe('up');
  });

  it('dates it from the first who could not reach it, and forgets it when the peer announces itself anew', () => {
    const peer = new Peer().beats(0, 100_000).met(unreached, 50_000).met(unreached, 100_000);
    expect(peer.life.unreachableSinceMs).toBe(50_000);
    const facts = { name: 'n', domains: {}, host: 'h', port: 2, agentVersion: '1', capacityBytes: 1 };
    expect(peer.says({ kind: 'announce', ...facts }, 101_000).stateAt(101_000)).toBe('up');
  });

  it('that drains or is in maintenance is no more there for that', () => {
    const draining = new Peer().beats(0, 100_000).says({ kind: 'drain', draining: true }, 100_000);
    expect(draining.met(unreached, 100_000).stateAt(100_000)).toBe('suspect');
    const maintained = new Peer().beats(0, 100_000).says({ kind: 'maintenance', untilMs: 1e9 }, 100_000);
    expect(maintained.met(unreached, 100_000).stateAt(100_000)).toBe('maintenance');
  });

  it('is remembered by what of its claims held and failed, fading', () => {
    const peer = new Peer().beats(0, 0).met({ kind: 'claims', held: 3, failed: 1 }, 0);
    peer.met({ kind: 'claims', held: 1, failed: 0 }, 0);
    expect(claimsOf(peer.life, rules, 0)).toEqual({ held: 4, failed: 1 });
    expect(claimsOf(peer.life, rules, rules.memoryHalfLifeMs)).toEqual({ held: 2, failed: 0.5 });
  });

  it('that does not hold what it says counts as silent until what it says is there again, whatever it announces', () => {
    const failed = { kind: 'claims', held: 0, failed: 1 } as const;
    const held = { kind: 'claims', held: 1, failed: 0 } as const;
    const peer = new Peer().beats(0, 100_000).met(failed, 100_000).met(failed, 100_000);
    expect(peer.stateAt(100_000)).toBe('up');
    expect(peer.met(failed, 100_000).stateAt(100_000)).toBe('suspect');
    peer.says(
      { kind: 'announce', name: '', domains: {}, host: '', port: 1, agentVersion: '', capacityBytes: 0 },
      101_000,
    );
    expect(peer.stateAt(101_000)).toBe('suspect');
    expect(peer.beats(110_000, 170_000).stateAt(170_000)).toBe('down');
    peer.met(held, 170_000).met(held, 170_000).met(failed, 170_000).met(held, 170_000).met(held, 170_000);
    expect(peer.stateAt(170_000)).toBe('down');
    expect(peer.met(held, 170_000).stateAt(170_000)).toBe('up');
    expect(claimsOf(peer.life, rules, 170_000)).toEqual({ held: 3, failed: 0 });
  });

  it('of which a few shares are bad among many that are there is believed in the others', () => {
    const peer = new Peer().beats(0, 100_000).met({ kind: 'claims', held: 30, failed: 0 }, 100_000);
    expect(peer.met({ kind: 'claims', held: 0, failed: 5 }, 100_000).stateAt(100_000)).toBe('up');
  });

  it('whose life an earlier release stored goes on', () => {
    const { unreachableSinceMs: _a, claims: _b, doubt: _c, ...stored } = new Peer().beats(0, 100_000).life;
    expect(judged(stored, rules, 100_000, 100_000).state).toBe('up');
    expect(claimsOf(stored, rules, 100_000)).toEqual({ held: 0, failed: 0 });
    expect(met(stored, rules, unreached, 100_000, 100_000).state).toBe('suspect');
  });
});

describe('a peer', () => {
  it('is down before it was ever heard', () => {
    expect(new Peer().stateAt(0)).toBe('down');
  });

  it('goes up, suspect, down and departed by its silence, and up again when heard', () => {
    const peer = new Peer().beats(0, 100_000);
    expect(peer.stateAt(110_000)).toBe('up');
    expect(peer.stateAt(100_000 + 25_000)).toBe('suspect');
    expect(peer.stateAt(100_000 + 25_000 + 60_000)).toBe('down');
    expect(peer.stateAt(100_000 + 86_400_000)).toBe('departed');
    expect(peer.says({ kind: 'heartbeat', vitals: null }, 100_000 + 86_500_000).stateAt(100_000 + 86_500_000)).toBe(
      'up',
    );
  });

  it('earns grace by outages that ended by themselves, within bounds, and loses it with time', () => {
    const peer = new Peer().beats(0, 100_000);
    expect(graceOf(peer.life, rules, 100_000)).toBe(60_000);
    peer.stateAt(200_000);
    peer.says({ kind: 'heartbeat', vitals: null }, 220_000);
    expect(graceOf(peer.life, rules, 220_000)).toBe(240_000);
    expect(flapScoreOf(peer.life, rules, 220_000)).toBe(1);
    peer.stateAt(5_000_000);
    peer.says({ kind: 'heartbeat', vitals: null }, 5_000_000);
    expect(graceOf(peer.life, rules, 5_000_000)).toBe(600_000);
    expect(graceOf(peer.life, rules, 5_000_000 + 10 * 3_600_000)).toBe(60_000);
  });

  it('drops events at or below the last one of its order', () => {
    const peer = new Peer().beats(0, 50_000);
    const before = peer.life;
    expect(heard(before, rules, { kind: 'depart' }, { incarnation: 1, sequence: 3 }, 'peer', 60_000, 60_000)).toBe(
      before,
    );
    expect(heard(before, rules, { kind: 'depart' }, before.order, 'peer', 60_000, 60_000)).toBe(before);
    expect(
      heard(before, rules, { kind: 'depart' }, { incarnation: 2, sequence: 1 }, 'peer', 60_000, 60_000).state,
    ).toBe('departed');
  });

  it('is in maintenance only while silent within its window', () => {
    const peer = new Peer().beats(0, 100_000);
    peer.life = heard(
      peer.life,
      rules,
      { kind: 'maintenance', untilMs: 400_000 },
      { incarnation: 0, sequence: 0 },
      'operator',
      100_000,
      100_000,
    );
    expect(peer.stateAt(101_000)).toBe('up');
    expect(peer.stateAt(300_000)).toBe('maintenance');
    expect(peer.stateAt(400_001)).toBe('down');
  });

  it('drains while it is heard', () => {
    const peer = new Peer().beats(0, 100_000).says({ kind: 'drain', draining: true }, 100_500);
    expect(peer.stateAt(101_000)).toBe('draining');
    expect(peer.stateAt(200_000)).toBe('down');
  });

  it('is missed by the interval that it says itself, as soon as it says another', () => {
    const beat = (intervalMs?: number): PeerEventBody => {
      return { kind: 'heartbeat', vitals: null, ...(intervalMs === undefined ? {} : { intervalMs }) };
    };
    const peer = new Peer();
    for (let at = 0; at <= 20_000; at += 2000) peer.says(beat(2000), at);
    expect(peer.stateAt(20_000 + 5000)).toBe('suspect');
    peer.says(beat(10_000), 26_000);
    for (let at = 36_000; at <= 96_000; at += 10_000) {
      expect(peer.stateAt(at - 1)).toBe('up');
      peer.says(beat(10_000), at);
    }
    expect(peer.stateAt(96_000 + 24_999)).toBe('up');
    expect(peer.stateAt(96_000 + 25_000)).toBe('suspect');
    // Nobody can make itself never missed.
    peer.says(beat(2 ** 31), 122_000);
    expect(peer.stateAt(122_000 + 2.5 * 600_000)).toBe('suspect');
  });

  it('that does not say its interval is learned while it looks suspect too', () => {
    const peer = new Peer();
    for (let at = 0; at <= 100_000; at += 2000) peer.says({ kind: 'heartbeat', vitals: null }, at);
    const states: string[] = [];
    for (let at = 110_000; at <= 200_000; at += 10_000) {
      states.push(peer.stateAt(at - 1));
      peer.says({ kind: 'heartbeat', vitals: null }, at);
    }
    expect(states.slice(-5)).toEqual(['up', 'up', 'up', 'up', 'up']);
  });

  it('is never worse for having been heard later', () => {
    const rank = ['up', 'suspect', 'down', 'departed'];
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), fc.nat(200_000_000), (early, more, later) => {
        const a = new Peer().says({ kind: 'heartbeat', vitals: null }, early);
        const b = new Peer().says({ kind: 'heartbeat', vitals: null }, early + more);
        const now = early + more + later;
        expect(rank.indexOf(b.stateAt(now))).toBeLessThanOrEqual(rank.indexOf(a.stateAt(now)));
      }),
    );
  });
});

describe('log time', () => {
  it('stands still while there are no ticks', () => {
    const time = new LogTime(3000);
    time.tick(1_000_000, 1_000_000);
    time.tick(1_001_000, 1_001_000);
    time.tick(1_500_000, 1_500_000);
    expect(time.elapsedMs).toBe(1000);
    expect(time.watermarkMs).toBe(1_500_000);
  });

  const ticksUntil = (time: LogTime, fromMs: number, toMs: number): void => {
    for (let atMs = fromMs; atMs <= toMs; atMs += 1000) time.tick(atMs, atMs);
  };

  it('goes on after a pause only when agents that backed off can have been heard again', () => {
    const time = new LogTime(3000);
    ticksUntil(time, 1_000_000, 1_010_000);
    expect(time).toMatchObject({ elapsedMs: 10_000, patienceMs: 0 });
    // 40 s of a full disk: agents pause for up to a minute.
    ticksUntil(time, 1_050_000, 1_109_000);
    expect(time).toMatchObject({ elapsedMs: 10_000, patienceMs: 1000 });
    ticksUntil(time, 1_110_000, 1_115_000);
    expect(time).toMatchObject({ elapsedMs: 15_000, patienceMs: 0 });
  });

  it('waits less after a short pause, in which agents have not backed off far', () => {
    const time = new LogTime(3000);
    ticksUntil(time, 1_000_000, 1_010_000);
    ticksUntil(time, 1_015_000, 1_025_000);
    expect(time).toMatchObject({ elapsedMs: 10_000, patienceMs: 0 });
    ticksUntil(time, 1_026_000, 1_030_000);
    expect(time.elapsedMs).toBe(15_000);
  });

  it('never runs backwards, whatever order ticks come in', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000_000 })), (ticks) => {
        const time = new LogTime(3000);
        let last = 0;
        for (const tick of ticks) {
          time.tick(tick, tick);
          expect(time.elapsedMs).toBeGreaterThanOrEqual(last);
          expect(time.elapsedMs - last).toBeLessThanOrEqual(3000);
          last = time.elapsedMs;
        }
        expect(time.watermarkMs).toBe(Math.max(0, ...ticks));
      }),
    );
  });

  it('leaves out ticks from the future, so that one broken clock does not stop it', () => {
    const time = new LogTime(3000);
    time.tick(1_000_000, 1_000_000);
    expect(time.tick(2_000_000, 1_001_000)).toBe(false);
    expect(time.ticksAhead).toBe(1);
    expect(time.tick(1_002_000, 1_002_000)).toBe(true);
    expect(time).toMatchObject({ ticksAhead: 0, watermarkMs: 1_002_000, elapsedMs: 2000 });
  });

  it('goes on from where it was', () => {
    const time = new LogTime(3000, { watermarkMs: 5000, elapsedMs: 700 });
    time.tick(6000, 6000);
    expect(time.elapsedMs).toBe(1700);
    expect(time.ageMs(7000)).toBe(1000);
  });
});
