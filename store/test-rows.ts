/** Rows as an ordinary mesh has them, for the tests of the queries. */
import { createHash, randomUUID } from 'node:crypto';
import type { Grade } from '#mesh/grade.ts';
import { type PeerId, peerIdFromBytes } from '#mesh/peer-id.ts';
import { type StorageIndex, storageIndexFromBytes } from '#mesh/storage-index.ts';
import type * as tables from './tables.ts';

export const minuteMs = 60_000;
/** On a minute, an hour ago: within the life time of every table. */
export const baseMs = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000;

export const indexOf = (name: string): StorageIndex =>
  storageIndexFromBytes(createHash('sha256').update(`file ${name}`).digest());
export const peerOf = (name: string): PeerId => peerIdFromBytes(createHash('sha256').update(`peer ${name}`).digest());

export function file(name: string, change: Partial<tables.FileRow> = {}): tables.FileRow {
  const uebHash = new Uint8Array(createHash('sha256').update(name).digest());
  const coding = { k: 25, n: 100, sizeBytes: 5_000_000_000 };
  return {
    partition: 1,
    storageIndex: indexOf(name),
    uebHash,
    ...coding,
    origin: 'owner',
    tag: 'a',
    registeredAt: baseMs,
    deleted: false,
    version: 1,
    ...change,
  };
}

export function health(
  name: string,
  grade: Grade,
  margin: number,
  change: Partial<tables.FileHealthRow> = {},
): tables.FileHealthRow {
  const available = 25 + margin;
  return {
    partition: 1,
    storageIndex: indexOf(name),
    policy: '25-of-100',
    grade,
    previousGrade: null,
    gradeSince: baseMs,
    sizeBytes: 1000,
    k: 25,
    n: 100,
    available,
    retained: available + 1,
    counted: available,
    margin,
    happiness: available,
    distinctPeers: available,
    tolerancePeers: Math.max(0, margin),
    toleranceDomains: { zone: 1, rack: 3 },
    corrupt: 0,
    log10Loss: -6.5,
    cause: `Zone "eu" is down – ${name}`,
    at: baseMs,
    deleted: false,
    version: 1,
    ...change,
  };
}

export function peer(name: string, change: Partial<tables.PeerRow> = {}): tables.PeerRow {
  return {
    peerId: peerOf(name),
    name,
    state: 'up',
    stateSince: baseMs,
    domains: { region: 'eu-1', rack: 'r7' },
    capacityBytes: 2 ** 42,
    usedBytes: 12_345,
    shares: 7,
    agentVersion: '0.1.0',
    host: 'peer.example',
    port: 7000,
    lastHeardAt: baseMs + 5,
    incarnation: 3,
    flapScore: 0.5,
    graceMs: 900_000,
    version: 1,
    ...change,
  };
}

export function repair(name: string, change: Partial<tables.RepairRow> = {}): tables.RepairRow {
  return {
    id: randomUUID(),
    storageIndex: indexOf(name),
    campaign: '',
    startedAt: baseMs,
    endedAt: baseMs + 1500,
    durationMs: 1500,
    k: 25,
    n: 100,
    sizeBytes: 10_000_000,
    availableBefore: 40,
    availableAfter: 93,
    wantedShares: [0, 99, 255],
    writtenShares: [0, 99],
    sources: [peerOf('a'), peerOf('b')],
    targets: [peerOf('c')],
    bytesRead: 1,
    bytesWritten: 2,
    outcome: 'partial',
    errorCode: 'repair-no-target',
    errorMessage: 'no target',
    generation: 4,
    cause: 'peer down',
    traceId: 'abc',
    ...change,
  };
}

export async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}
