import { describe, expect, test } from 'vitest';
import type { InMemoryLog } from '#log/in-memory.ts';
import { systemClock } from '#mesh/clock.ts';
import { createPeerIdentity } from '#tahoe/identity/key-folder.ts';
import {
  batchPost,
  newLog,
  newOperator,
  newPeer,
  nurlOf,
  startGateway,
  testTopics,
} from '../gateway/testing/gateway-under-test.ts';
import { createToken } from '../gateway/tokens.ts';
import { backupLines, parseBackup, restoreBackup } from './backup.ts';

const textOf = async (log: InMemoryLog): Promise<string> =>
  (await Array.fromAsync(backupLines(log, testTopics, 1_700_000_000_000))).join('');

/** A mesh with an operator, a peer, one that was revoked, and a token that was used. */
async function mesh() {
  const log = newLog();
  const gateway = await startGateway({ log });
  const [peer, revoked] = [await newPeer(log, gateway, { zone: 'a' }), await newPeer(log, gateway)];
  const operatorKey = await newOperator(log);
  const operator = gateway.client(operatorKey);
  await operator.revokePeer(revoked.peerId, 'stolen');
  await operator.changeSettings(peer.peerId, { heartbeatMs: 12_345 });
  const { token } = await createToken(log, testTopics, systemClock, { lifetimeMs: 3_600_000 });
  const late = await createPeerIdentity();
  const enrol = { token, name: 'late', domains: {}, nurl: nurlOf(late), capacityBytes: 0 };
  await gateway.client(late).enrol(enrol);
  return { log, peer, revoked, operatorKey, late, enrol };
}

describe('a backup', () => {
  test('lets the mesh go on in another log: who may speak, who may not, and which tokens were used', async () => {
    const before = await mesh();
    const log = newLog();
    // Offsets differ there.
    const counts = await restoreBackup(log, testTopics, parseBackup(await textOf(before.log)), false);
    expect(counts.enrolments).toBeGreaterThan(5);
    const gateway = await startGateway({ log });
    expect(await gateway.client(before.peer).postEvents(batchPost(before.peer))).toEqual({ accepted: 8 });
    expect((await gateway.client(before.peer).settings())?.heartbeatMs).toBe(12_345);
    await expect(gateway.client(before.revoked).postEvents(batchPost(before.revoked))).rejects.toMatchObject({
      code: 'peer-revoked',
    });
    const thief = await createPeerIdentity();
    await expect(gateway.client(thief).enrol({ ...before.enrol, nurl: nurlOf(thief) })).rejects.toMatchObject({
      code: 'token-invalid',
    });
    const operator = gateway.client(before.operatorKey);
    expect((await operator.directory()).map(({ peerId }) => peerId).sort()).toEqual(
      [before.peer, before.revoked, before.late].map(({ peerId }) => peerId).sort(),
    );
    // Changes go on from where they stood.
    await operator.restorePeer(before.revoked.peerId);
    expect(await gateway.client(before.revoked).postEvents(batchPost(before.revoked))).toEqual({ accepted: 8 });
  });

  test('keeps a change that crossed another as it was: a revocation is not undone', async () => {
    const { log, revoked } = await mesh();
    const { peerRecord } = await import('../gateway/enrolment-records.ts');
    const { EnrolmentTable } = await import('../gateway/enrolment-table.ts');
    const tableOf = (from: InMemoryLog) => {
      const table = new EnrolmentTable();
      for (const record of from.all(testTopics.enrolments.name)) table.apply(record);
      return table;
    };
    const entry = tableOf(log).peer(revoked.peerId);
    if (entry === undefined) throw new Error('no such peer');
    await log.append(testTopics.enrolments.name, [
      peerRecord({ ...entry.peer, revoked: false, name: 'renamed' }, entry.before?.offset ?? -1),
    ]);
    expect(tableOf(log).peer(revoked.peerId)?.peer).toMatchObject({ revoked: true, name: 'renamed' });
    const other = newLog();
    await other.append(testTopics.enrolments.name, [peerRecord({ ...entry.peer, name: 'older' }, -1)]);
    await restoreBackup(other, testTopics, parseBackup(await textOf(log)), true);
    expect(tableOf(other).peer(revoked.peerId)?.peer).toMatchObject({ revoked: true, name: 'renamed' });
  });

  test('is taken whole or not at all', async () => {
    const text = await textOf((await mesh()).log);
    const lines = text.trimEnd().split('\n');
    const damaged = [
      '',
      'x',
      lines.slice(0, -1).join('\n'),
      `${lines
        .slice(0, 3)
        .concat(lines.at(-1) as string)
        .join('\n')}\n`,
      text.replace('"offset":1', '"offset":7'),
      text.slice(0, -30),
    ];
    for (const wrong of damaged)
      expect(() => parseBackup(wrong), wrong.slice(0, 80)).toThrow('this is no whole backup');
    expect(parseBackup(text).records.length).toBe(lines.length - 2);
  });

  test('does not go over what stands there unless that is said', async () => {
    const { log } = await mesh();
    const backup = parseBackup(await textOf(log));
    const before = log.all(testTopics.enrolments.name).length;
    await expect(restoreBackup(log, testTopics, backup, false)).rejects.toMatchObject({ code: 'bad-input' });
    expect(log.all(testTopics.enrolments.name)).toHaveLength(before);
    await restoreBackup(log, testTopics, backup, true);
    expect(log.all(testTopics.enrolments.name)).toHaveLength(2 * before);
  });
});
