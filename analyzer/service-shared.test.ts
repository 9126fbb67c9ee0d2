/** Several analyzers share the partitions of one mesh: whatever comes and goes, together they are one. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '#mesh/clock.ts';
import { grades } from '#mesh/grade.ts';
import { generationHeader } from '#mesh/list-fence.ts';
import { defaultPolicy } from '#mesh/policy.ts';
import { batchOf, fileOf, peerOf, registrationOf, type ShareEvent } from '#mesh/testing/share-events.ts';
import { PeerTable } from './files/share-map/peer-table.ts';
import type { FileHealth } from './files/share-map/share-map.ts';
import { PlainShareMap } from './files/share-map/testing/plain-share-map.ts';
import { DurableRows, MemoryStore } from './testing/memory-store.ts';
import { eventually, peers, type RunningAnalyzer, TestMesh } from './testing/mesh.ts';

const partitions = 4;
const files = Array.from({ length: 16 }, (_, file) => file);

interface Member extends RunningAnalyzer {
  readonly store: MemoryStore;
}

function figures(health: FileHealth | undefined): unknown {
  if (health === undefined) return undefined;
  const { storageIndex, available, counted, retained, corrupt, grade, happiness, tolerancePeers } = health;
  return { storageIndex, available, counted, retained, corrupt, grade, happiness, tolerancePeers };
}

/** One analyzer's state, fed with the same events. */
class Oracle {
  readonly map: PlainShareMap;

  constructor() {
    const table = new PeerTable();
    for (const peer of peers) table.setState(peerOf(peer), 'up');
    this.map = new PlainShareMap({
      peers: table,
      policyFor: (coding) => defaultPolicy(coding),
      maxFiles: 1000,
      settleMs: 1000,
    });
  }

  health(file: number): FileHealth | undefined {
    return this.map.health(fileOf(file), 1e15);
  }

  listed(): ReadonlyMap<string, readonly string[]> {
    const needing = files.flatMap((file) => {
      const health = this.health(file);
      return health !== undefined && health.counted < health.policy.repairBelow ? [health] : [];
    });
    return new Map(needing.map(({ storageIndex }) => [storageIndex, this.placementsOf(storageIndex)]));
  }

  placementsOf(file: FileHealth['storageIndex']): readonly string[] {
    const sound = this.map.placements(file).filter(({ corrupt }) => !corrupt);
    return sound.map(({ shareNumber, peer }) => `${shareNumber} ${peer}`).sort();
  }
}

describe('several analyzers', () => {
  let mesh: TestMesh;
  let rows: DurableRows;
  let members: Member[];
  let oracle: Oracle;
  let sequence: number;
  let started: number;

  beforeEach(async () => {
    mesh = await TestMesh.open({ partitions });
    rows = new DurableRows();
    members = [];
    oracle = new Oracle();
    sequence = 0;
    started = 0;
    await mesh.announce();
  });
  afterEach(() => mesh.close());

  async function join(): Promise<void> {
    const store = new MemoryStore(() => mesh.wallMs, rows);
    const instance = `host-${++started}`;
    const running = await mesh.start(store, {
      log: await mesh.openLog(),
      instance,
      tuning: { stopTimeoutMs: 50 },
    });
    members.push({ ...running, store });
  }

  async function leave(member: Member): Promise<void> {
    members.splice(members.indexOf(member), 1);
    await member.kill();
  }

  /** What is not acknowledged by now is gone. */
  async function fail(member: Member): Promise<void> {
    member.store.hang();
    await leave(member);
  }

  async function says(fields: Omit<Parameters<typeof batchOf>[0], 'sequence'>): Promise<void> {
    const batch = batchOf({ ...fields, sequence: ++sequence });
    oracle.map.apply(batch, 0);
    await mesh.appendBatch(batch);
  }

  /** Everything that was said is known to somebody, and told of. */
  async function settled(): Promise<void> {
    await eventually(() => {
      const owned = members.map(({ analyzer }) => analyzer.health().ownedPartitions);
      expect(owned.reduce((sum, count) => sum + count, 0)).toBe(partitions);
      expect(Math.min(...owned)).toBeGreaterThanOrEqual(Math.floor(partitions / members.length));
    });
    await mesh.pass(3000, peers);
    for (const member of members) await mesh.seenBy(member);
    await mesh.committed();
  }

  async function expectOne(): Promise<void> {
    for (const file of files) {
      const answers = members.flatMap(({ analyzer }) => analyzer.file(fileOf(file))?.health ?? []);
      const expected = oracle.health(file);
      expect(answers.map(figures)).toEqual(expected === undefined ? [] : [figures(expected)]);
    }
    await expectAnsweredByEach();
    await eventually(async () => {
      const list = [...(await mesh.atRisk())].map(([file, { placements }]) => {
        const held = placements.map(
          ({ shareNumber, peerId }) => `${shareNumber} ${Buffer.from(peerId).toString('base64url')}`,
        );
        return [file, held.sort()] as const;
      });
      expect(new Map(list)).toEqual(oracle.listed());
      const owners = await mesh.listOwners();
      expect(owners.map((of) => of.at(-1)?.confirmed)).toEqual(owners.map(() => true));
    });
    await eventually(() => expectStored());
    const { totals } = oracle.map.sweep(1e15);
    await eventually(() => {
      for (const { analyzer } of members) {
        const known = analyzer.health();
        expect(known.freshness.reasons).toEqual([]);
        expect([known.totals?.files, known.totals?.bytes]).toEqual([totals.files, totals.bytes]);
        expect(grades.map((grade) => known.totals?.byGrade.get(grade)?.files)).toEqual(
          grades.map((grade) => totals.byGrade.get(grade)?.files),
        );
      }
    });
  }

  /** Whoever is asked, and whoever owns the file. */
  async function expectAnsweredByEach(): Promise<void> {
    await eventually(async () => {
      for (const { analyzer } of members) {
        for (const file of files) {
          const answer = await analyzer.lookUp(fileOf(file));
          expect(typeof answer === 'string' ? undefined : figures(answer.health)).toEqual(figures(oracle.health(file)));
        }
        const { files: listed } = await analyzer.listAtRisk({ limit: 100 });
        expect(new Set(listed.map(({ health }) => health.storageIndex))).toEqual(new Set(oracle.listed().keys()));
      }
    });
  }

  function expectStored(): void {
    const placements = [...rows.partitions.values()].flatMap((of) => [...of.placements.values()]);
    const stored = placements.map(({ storageIndex, shareNumber, peer }) => `${storageIndex} ${shareNumber} ${peer}`);
    const expected = files.flatMap((file) =>
      oracle.map.placements(fileOf(file)).map(({ shareNumber, peer }) => `${fileOf(file)} ${shareNumber} ${peer}`),
    );
    expect(stored.sort()).toEqual(expected.sort());
    const health = files.map((file) => [rows.health.get(fileOf(file))?.health, oracle.health(file)]);
    expect(health.map(([found]) => found?.grade)).toEqual(health.map(([, wanted]) => wanted?.grade));
    // Each change of a grade stands once: it goes on where the one before ended.
    for (const file of files) {
      const changes = rows.gradeChanges.filter((row) => row.health.storageIndex === fileOf(file));
      const chain = changes.map(({ previousGrade, health: { grade } }) => [previousGrade, grade] as const);
      for (const [i, [from, to]] of chain.entries()) {
        expect(to).not.toBe(from);
        if (from !== null) expect(from).toBe(chain[i - 1]?.[1]);
      }
    }
    const open = new Map<string, string>();
    for (const { id, alert, state } of rows.alertChanges) {
      const known = open.get(alert.key);
      if (state === 'firing') expect(known).toBeUndefined();
      else expect(known).toBe(id);
      if (state === 'resolved') open.delete(alert.key);
      else open.set(alert.key, id);
    }
  }

  it.each([1, 2, 3, 4])('that join, leave and fail are together what one would be (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const pick = (count: number): number => Math.floor(random() * count);
    const kinds = ['stored', 'stored', 'stored', 'verified', 'lost', 'corrupt'] as const;
    const speak = async (): Promise<void> => {
      const events = Array.from({ length: 1 + pick(8) }, (): ShareEvent => {
        return [kinds[pick(kinds.length)] as (typeof kinds)[number], pick(files.length), pick(6)];
      });
      const registrations = random() < 0.5 ? [registrationOf(pick(files.length))] : [];
      const deleted = random() < 0.1 ? [pick(files.length)] : [];
      await says({ peer: pick(peers.length), events, registrations, deleted });
    };
    await says({ peer: 0, registrations: files.slice(0, 8).map((file) => registrationOf(file)) });
    await join();
    await join();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 10; i++) await speak();
      const member = members[pick(members.length)] as Member;
      const choice = members.length === 1 ? 0 : members.length === 4 ? 1 + pick(2) : pick(3);
      if (random() < 0.5) member.store.hangAfterWrites = pick(4);
      if (choice === 0) await join();
      else if (choice === 1) await leave(member);
      else await fail(member);
      for (let i = 0; i < 5; i++) await speak();
      for (const { store } of members) store.recover();
      await settled();
      await expectOne();
    }
  });

  it('write over what an analyzer that lost a partition still puts on the list', async () => {
    await says({ peer: 0, registrations: [registrationOf(1), registrationOf(2)] });
    for (const peer of [0, 1, 2]) await says({ peer, events: [['stored', 1, peer]] });
    for (const peer of peers) await says({ peer, events: [['stored', 2, peer]] });
    await join();
    await join();
    await settled();
    await expectOne();
    const late = { [generationHeader]: '0' };
    const { key, partition } = await recordOf(1);
    await mesh.log.append(mesh.topics.atRisk.name, [{ partition, key, value: null, headers: late }]);
    await eventually(async () => {
      const newest = await recordOf(1);
      expect(newest.value).not.toBeNull();
      expect(Number(newest.headers[generationHeader])).toBeGreaterThan(0);
    });
    await expectOne();

    async function recordOf(file: number) {
      const number = mesh.partitionOf(fileOf(file));
      const records = await mesh.log.read(mesh.topics.atRisk.name, number, 0, 1 << 20);
      const found = records.findLast((record) => record.key?.length === 16);
      if (found === undefined) throw new Error('no entry');
      return found;
    }
  });

  it('list a file anew when a share only moves', async () => {
    await says({ peer: 0, registrations: [registrationOf(1)] });
    for (const peer of [0, 1, 2]) await says({ peer, events: [['stored', 1, peer]] });
    await join();
    await settled();
    await expectOne();
    const before = (await mesh.atRisk()).get(fileOf(1));
    // Share 2 is on peer 3 now: no figure of the file has changed.
    await says({ peer: 3, events: [['stored', 1, 2]] });
    await says({ peer: 2, events: [['lost', 1, 2]] });
    await settled();
    await expectOne();
    const after = (await mesh.atRisk()).get(fileOf(1));
    expect([after?.available, after?.counted]).toEqual([before?.available, before?.counted]);
    expect(after?.revision).toBeGreaterThan(before?.revision ?? 0n);
    // What an inventory names again is no news.
    await says({ peer: 3, begin: 1, events: [['stored', 1, 2]] });
    await says({ peer: 3, end: 1 });
    await settled();
    expect((await mesh.atRisk()).get(fileOf(1))?.revision).toBe(after?.revision);
  });

  it('take a partition over without writing anew what the store has', async () => {
    await says({ peer: 0, registrations: files.map((file) => registrationOf(file)) });
    for (const peer of peers) await says({ peer, events: files.map((file) => ['stored', file, peer] as const) });
    await join();
    await settled();
    await expectOne();
    const atMs = new Map(files.map((file) => [file, rows.health.get(fileOf(file))?.atMs]));
    await join();
    await settled();
    await expectOne();
    expect(new Map(files.map((file) => [file, rows.health.get(fileOf(file))?.atMs]))).toEqual(atMs);
  });

  it('keep one history of the mesh, and each the exposure of its own files, with zeros for what is gone', async () => {
    await says({ peer: 0, registrations: files.map((file) => registrationOf(file)) });
    for (const peer of [0, 1]) await says({ peer, events: files.map((file) => ['stored', file, peer] as const) });
    await join();
    await join();
    await settled();
    await expectOne();
    await eventually(() => expect(rows.sweeps.at(-1)?.totals.files).toBe(files.length));
    // While partitions move none of them is left out of the history, and none counted twice.
    const before = rows.sweeps.length;
    await join();
    await settled();
    await eventually(() => expect(rows.sweeps.length).toBeGreaterThan(before));
    const since = rows.sweeps.slice(before).map(({ totals }) => totals.files);
    expect(since).toEqual(since.map(() => files.length));
    const exposed = (): number => {
      const newest = new Map(
        rows.exposure.map((row) => [`${row.kind} ${row.domain}`, row] as const).filter(([key]) => key === 'zone a'),
      );
      return newest.get('zone a')?.filesBelowK ?? -1;
    };
    await eventually(() => expect(exposed()).toBeGreaterThan(0));
    for (let member = members[0]; member !== undefined; member = members[0]) await leave(member);
    expect(exposed()).toBe(0);
  });
});
