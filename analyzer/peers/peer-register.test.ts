import { beforeEach, describe, expect, it } from 'vitest';
import type { PeerEventBody } from '#mesh/events/peer-event.ts';
import { peerOf } from '#mesh/testing/share-events.ts';
import { LogTime } from '#peers/liveness/log-time.ts';
import type { LivenessRules } from '#peers/liveness/peer-liveness.ts';
import { type EnrolmentFacts, PeerRegister } from '#peers/liveness/peer-register.ts';
import { PeerTable } from '../files/share-map/peer-table.ts';

const rules: LivenessRules = {
  suspectAfterHeartbeats: 2.5,
  defaultHeartbeatMs: 1000,
  graceMs: 2000,
  graceMaxMs: 2000,
  departAfterMs: 60_000,
  memoryHalfLifeMs: 3_600_000,
};
const heartbeat: PeerEventBody = { kind: 'heartbeat', vitals: null };
const enrolment: EnrolmentFacts = {
  name: 'enrolled',
  domains: { zone: 'e' },
  revoked: false,
  inventoryRequest: 0,
  outdatedAtMs: 0,
  capacityBytes: 0,
};

describe('the register of peers', () => {
  let times: readonly LogTime[];
  let table: PeerTable;
  let register: PeerRegister;
  let wallMs: number;
  let offset: number;
  beforeEach(() => {
    times = [new LogTime(3000), new LogTime(3000)];
    table = new PeerTable();
    register = new PeerRegister({ rules, times, table });
    wallMs = 1_000_000;
    offset = 0;
    tick(0);
    tick(1);
  });

  function tick(partition: number): void {
    register.apply({ kind: 'tick', atMs: wallMs }, { partition, offset: offset++, readAtMs: wallMs });
  }

  /** Peers with an even number are in partition 0. @returns the offset. */
  function says(peer: number, body: PeerEventBody, incarnation = 1, at = offset++): number {
    const value = { kind: 'event', peer: peerOf(peer), incarnation, sequence: at, body } as const;
    register.apply(value, { partition: peer % 2, offset: at, readAtMs: wallMs });
    return at;
  }

  function pass(ms: number, partition: number): void {
    for (let passed = 0; passed < ms; passed += 1000) {
      wallMs += 1000;
      tick(partition);
    }
  }

  const stateOf = (peer: number): string | undefined => register.find(peerOf(peer))?.state;
  const inTable = (peer: number): string => table.row(table.numberOf(peerOf(peer))).state;

  it("judges silence by the time of the peer's own partition", () => {
    says(2, heartbeat);
    says(3, heartbeat);
    pass(10_000, 0);
    expect([stateOf(2), stateOf(3)]).toEqual(['down', 'up']);
    expect([inTable(2), inTable(3)]).toEqual(['down', 'up']);
    expect(register.find(peerOf(3))?.silenceMs).toBe(0);
    // A gap between ticks counts for nothing, nor does the time after it in which peers that backed off are heard again.
    pass(23_000, 1);
    expect(stateOf(3)).toBe('up');
    pass(3000, 1);
    expect(stateOf(3)).toBe('suspect');
  });

  it('takes each record of the log once, though an operator gives his words no order of their own', () => {
    says(2, heartbeat);
    const drained = says(2, { kind: 'drain', draining: true }, 0);
    const departed = says(2, { kind: 'depart' }, 0);
    says(2, { kind: 'drain', draining: false });
    expect(stateOf(2)).toBe('up');
    const resumed = new PeerRegister({
      rules,
      times,
      table,
      resumed: new Map([[peerOf(2), structuredClone(register.find(peerOf(2))?.life as never)]]),
    });
    register = resumed;
    says(2, { kind: 'drain', draining: true }, 0, drained);
    says(2, { kind: 'depart' }, 0, departed);
    expect(stateOf(2)).toBe('up');
    expect(register.takeChanges()).toEqual([]);
  });

  it('holds an enrolment over what the peer says, and a revoked peer for departed until it is taken back', () => {
    says(2, {
      kind: 'announce',
      name: 'self',
      domains: { zone: 's', rack: 'r' },
      host: 'h',
      port: 1,
      agentVersion: '1',
      capacityBytes: 7,
    });
    register.enrolled(peerOf(2), enrolment);
    expect(register.find(peerOf(2))).toMatchObject({
      name: 'enrolled',
      domains: { zone: 'e', rack: 'r' },
      capacityBytes: 7,
    });
    register.takeChanges();
    register.enrolled(peerOf(2), { ...enrolment, revoked: true });
    says(2, heartbeat);
    expect([stateOf(2), inTable(2)]).toEqual(['departed', 'departed']);
    register.enrolled(peerOf(2), enrolment);
    expect([stateOf(2), inTable(2)]).toEqual(['up', 'up']);
    expect(register.takeChanges().map(({ from, to }) => [from, to])).toEqual([
      ['up', 'departed'],
      ['departed', 'up'],
    ]);
  });

  it('counts what comes under an earlier incarnation than was heard, and says so of the peer', () => {
    says(2, heartbeat, 7);
    says(2, heartbeat, 1);
    says(2, { kind: 'drain', draining: true }, 0);
    register.enrolled(peerOf(2), { ...enrolment, outdatedAtMs: 5 });
    expect(register.find(peerOf(2))).toMatchObject({
      outdatedEvents: 1,
      outdatedAtMs: 5,
      life: { order: { incarnation: 7 } },
    });
  });

  it('knows a peer that is enrolled and was never heard', () => {
    register.enrolled(peerOf(9), enrolment);
    expect(register.find(peerOf(9))).toMatchObject({ state: 'down', silenceMs: null });
    expect(register.count).toBe(1);
  });

  it('names what changed since the last taking, and all of them when asked to', () => {
    says(2, heartbeat);
    says(3, heartbeat);
    expect(new Set(register.takeChanged())).toEqual(new Set([peerOf(2), peerOf(3)]));
    pass(1000, 0);
    pass(1000, 1);
    expect(register.takeChanged()).toEqual([]);
    says(3, heartbeat);
    expect(register.takeChanged()).toEqual([peerOf(3)]);
    pass(5000, 0);
    expect(register.takeChanged()).toEqual([peerOf(2)]);
    register.markAllChanged();
    expect(register.takeChanged()).toHaveLength(2);
  });
});
