/**
 * One message of every kind that travels between services, with every field set to something that can be told apart. They
 * hold for one release and are changed with the schema; what a release wrote stands in `test/fixtures/wire/`.
 */
import { create, type Message, type MessageInitShape } from '@bufbuild/protobuf';
import { sampleDefinition, samplePlan } from '#mesh/campaigns/testing/samples.ts';
import {
  AgentPostSchema,
  AtRiskFileSchema,
  CampaignState,
  CampaignsRecordSchema,
  DeadLetterSchema,
  EnrolmentSchema,
  FileGrade,
  InventoryPhase,
  ManifestOrigin,
  PeerEventsRecordSchema,
  ShareEventKind,
  type ShareEventsRecord,
  ShareEventsRecordSchema,
} from '#mesh/generated/events_pb.js';
import { sampleAlertNotes } from './alert-samples.ts';

const atMs = 1_760_000_000_000n;
export const samplePeerBytes = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const operatorBytes = new Uint8Array(32).fill(0x4f);
const gatewayBytes = new Uint8Array(32).fill(0x67);

/** Different in the first four bytes, which choose the partition. */
function storageIndex(number: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => (number * 37 + i) & 0xff);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

const order = { peerId: samplePeerBytes, incarnation: 3n, observedAtMs: atMs };
const domains = { operator: 'ada', region: 'north', zone: 'alder', rack: 'r7', network: 'as64500' };
const manifest = {
  storageIndex: storageIndex(1),
  uebHash: new Uint8Array(32).fill(0xb1),
  k: 25,
  n: 100,
  sizeBytes: 2n ** 40n,
  origin: ManifestOrigin.DERIVED,
  tag: '',
};
const ownedManifest = { ...manifest, k: 3, n: 10, sizeBytes: 1_048_601n, origin: ManifestOrigin.OWNER, tag: 'photos' };

const events = {
  ...order,
  sequence: 41n,
  storageIndexes: joined(storageIndex(1), storageIndex(2), storageIndex(3), storageIndex(4)),
  shareNumbers: Uint8Array.from([0, 7, 99, 255]),
  kinds: Uint8Array.from([ShareEventKind.STORED, ShareEventKind.VERIFIED, ShareEventKind.LOST, ShareEventKind.CORRUPT]),
  manifests: [manifest],
};
const inventoryBegin = {
  ...order,
  sequence: 42n,
  storageIndexes: storageIndex(1),
  shareNumbers: Uint8Array.from([0]),
  kinds: Uint8Array.from([ShareEventKind.STORED]),
  inventory: { phase: InventoryPhase.BEGIN, generation: 9 },
};
const inventoryEnd = { ...order, sequence: 43n, inventory: { phase: InventoryPhase.END, generation: 9 } };
const ownersBatch = {
  peerId: gatewayBytes,
  incarnation: 1n,
  sequence: 2n,
  observedAtMs: atMs,
  manifests: [ownedManifest],
  deletedFiles: joined(storageIndex(5), storageIndex(6)),
};

const announce = {
  name: 'alder-07',
  domains,
  capacityBytes: 4_000_000_000_000n,
  host: 'alder-07.example',
  port: 34_001,
  agentVersion: '0.1.0',
};
const vitals = {
  cpuUsedRatio: 0.25,
  memoryUsedBytes: 1_000_000_001n,
  diskUsedBytes: 1_000_000_002n,
  diskCapacityBytes: 1_000_000_003n,
  networkReceivedBytes: 1_000_000_004n,
  networkSentBytes: 1_000_000_005n,
  sharesHeld: 1_000_006n,
  shareBytesHeld: 1_000_000_007n,
  sharesVerified: 1_000_008n,
  spooledBatches: 9n,
  spoolDroppedInventories: 10n,
  processMemoryBytesMib: 111,
};
const report = {
  analyzer: 'analyzer-1',
  atMs,
  partitions: [
    {
      partition: 3,
      generation: 4n,
      filesWithoutManifest: 5n,
      settlingFiles: 6n,
      policies: [
        {
          policy: '3-of-10',
          margins: [-1, 7],
          marginFiles: [8n, 9n],
          marginBytes: [10n, 11n],
          grades: [FileGrade.CRITICAL],
          gradeFiles: [12n],
          gradeBytes: [13n],
        },
      ],
    },
  ],
  staleReasons: ['no tick for 12 s'],
  refusedEvents: 14n,
  truncatedRecords: 15n,
  owedInventories: 16,
  ownedPartitions: 17,
};
type EventBody = NonNullable<
  Extract<NonNullable<MessageInitShape<typeof AgentPostSchema>['body']>, { case: 'event' }>['value']['body']
>;
const eventBodies = {
  announce: { case: 'announce', value: announce },
  heartbeat: { case: 'heartbeat', value: { vitals } },
  drain: { case: 'drain', value: { draining: true } },
  maintenance: { case: 'maintenance', value: { untilMs: atMs + 7_200_000n, reason: 'new disk' } },
  depart: { case: 'depart', value: { reason: 'sold' } },
} as const satisfies Readonly<Record<string, EventBody>>;
const eventNames = Object.keys(eventBodies) as (keyof typeof eventBodies)[];

/** What agents post, by name. */
export function samplePosts() {
  const batches = {
    'batch-events': events,
    'batch-inventory-begin': inventoryBegin,
    'batch-inventory-end': inventoryEnd,
  };
  return {
    ...mapValues(batches, (value) => create(AgentPostSchema, { body: { case: 'batch', value } })),
    ...Object.fromEntries(
      eventNames.map((name, i) => {
        const value = { ...order, sequence: BigInt(50 + i), body: eventBodies[name] };
        return [`event-${name}`, create(AgentPostSchema, { body: { case: 'event', value } })];
      }),
    ),
  };
}

/** Values of `share-events`, by name. */
export function sampleShareEvents(): Readonly<Record<string, ShareEventsRecord>> {
  const batches = {
    'batch-events': events,
    'batch-inventory-begin': inventoryBegin,
    'batch-inventory-end': inventoryEnd,
    'batch-of-owner': ownersBatch,
  };
  return {
    ...mapValues(batches, (value) => create(ShareEventsRecordSchema, { body: { case: 'batch', value } })),
    finding: create(ShareEventsRecordSchema, {
      body: {
        case: 'finding',
        value: {
          storageIndex: storageIndex(1),
          peerId: samplePeerBytes,
          shareNumber: 7,
          atMs,
          reader: 'repairer',
          reason: 'a block does not match its hash',
        },
      },
    }),
    tick: create(ShareEventsRecordSchema, { body: { case: 'tick', value: { atMs } } }),
  };
}

/** Values of `peer-events`, by name. */
export function samplePeerEvents() {
  const byOperator = { ...order, incarnation: 0n, sequence: 0n, body: eventBodies.drain };
  return {
    ...Object.fromEntries(
      eventNames.map((name, i) => {
        const value = { ...order, sequence: BigInt(50 + i), body: eventBodies[name] };
        return [name, create(PeerEventsRecordSchema, { body: { case: 'event', value } })];
      }),
    ),
    report: create(PeerEventsRecordSchema, { body: { case: 'report', value: report } }),
    'drain-by-operator': create(PeerEventsRecordSchema, { body: { case: 'event', value: byOperator } }),
    reach: create(PeerEventsRecordSchema, {
      body: {
        case: 'reader',
        value: {
          peerId: samplePeerBytes,
          atMs,
          body: { case: 'reach', value: { reachable: false, reason: 'no answer' } },
        },
      },
    }),
    claims: create(PeerEventsRecordSchema, {
      body: {
        case: 'reader',
        value: { peerId: samplePeerBytes, atMs, body: { case: 'claims', value: { held: 12, failed: 3 } } },
      },
    }),
    tick: create(PeerEventsRecordSchema, { body: { case: 'tick', value: { atMs } } }),
  };
}

/** Values of `at-risk`, by name. */
export function sampleAtRisk() {
  const entry = (grade: FileGrade) =>
    create(AtRiskFileSchema, {
      manifest: ownedManifest,
      grade,
      available: 4,
      retained: 7,
      counted: 5,
      margin: 1,
      placements: [
        { shareNumber: 2, peerId: samplePeerBytes, available: true },
        { shareNumber: 9, peerId: operatorBytes, available: false },
      ],
      cause: '3 shares on peers that are down',
      sinceMs: atMs,
      updatedAtMs: atMs + 1n,
      risk: -4.5,
      repairUpTo: 9,
      maxSharesPerPeer: 1,
      maxSharesPerDomain: 4,
      revision: 12n,
      ownerGeneration: 5n,
    });
  const { LOST, CRITICAL, AT_RISK, DEGRADED } = FileGrade;
  return mapValues({ lost: LOST, critical: CRITICAL, 'at-risk': AT_RISK, degraded: DEGRADED }, entry);
}

/** Values of `enrolments`, by name. */
export function sampleEnrolments() {
  const peer = {
    peerId: samplePeerBytes,
    name: 'alder-07',
    domains,
    nurl: `pb://${Buffer.from(samplePeerBytes).toString('base64url')}@alder-07.example:34001/not-a-real-swissnum#v=1`,
    enrolledAtMs: atMs,
    revoked: true,
    revokedReason: 'stolen',
    settings: {
      heartbeatMs: 5000,
      inventoryIntervalS: 86_400,
      verifyBytesPerSecond: 4_194_304n,
      serveBytesPerSecond: 10_000_000n,
      version: 7n,
      inventoryRequest: 8n,
    },
    capacityBytes: 4_000_000_000_000n,
  };
  const token = {
    tokenSha256: new Uint8Array(32).fill(0x70),
    domains: { zone: 'alder' },
    createdAtMs: atMs,
    expiresAtMs: atMs + 3_600_000n,
    usedByPeerId: samplePeerBytes,
    replacesPeerId: operatorBytes,
  };
  const operator = { operatorId: operatorBytes, name: 'first operator', revoked: false };
  return {
    peer: create(EnrolmentSchema, { body: { case: 'peer', value: peer } }),
    token: create(EnrolmentSchema, { body: { case: 'token', value: token } }),
    operator: create(EnrolmentSchema, { body: { case: 'operator', value: operator } }),
  };
}

/** Values of `dead-letters`, by name. */
export function sampleDeadLetters() {
  const common = { reasonCode: 'batch-malformed', atMs, payload: Uint8Array.from([255, 1, 2]), payloadBytes: 70_000n };
  return {
    gateway: create(DeadLetterSchema, {
      ...common,
      reason: 'the post was refused: its columns do not have one length',
      source: 'gateway',
      peerId: samplePeerBytes,
      contentType: 'application/x-protobuf',
    }),
    analyzer: create(DeadLetterSchema, {
      ...common,
      reason: 'a record of the log cannot be read: the record holds neither batch nor tick',
      source: 'meshward.share-events/3@123',
      contentType: 'application/x-protobuf',
    }),
    'replay-mark': create(DeadLetterSchema, {
      reasonCode: 'replayed',
      atMs,
      replay: { partition: 0, offset: 17n, topic: 'meshward.share-events', records: 4 },
    }),
  };
}

/** Every sample, by kind and name. */
const step = {
  revision: 2n,
  what: 'start',
  operatorId: operatorBytes,
  operatorName: 'ada',
  why: 'before the move',
  atMs,
  planHash: 'ab'.repeat(32),
};

export function sampleCampaigns(): Readonly<Record<string, Message>> {
  const campaignId = '0f82f493-055e-4007-bbb6-fe1338f52f46';
  const definition = sampleDefinition({ selection: { grades: ['degraded'], marginTo: 40 }, upTo: 95 });
  const plan = samplePlan({ duration: { leastMs: 10, mostMs: 20, basis: 'the budget' }, marginsBefore: [[5, 10]] });
  const limits = {
    rates: { bytes: 1_000_000, peerReadBytes: 5000 },
    brake: { says: 'hold', untilMs: Number(atMs), why: 'night', by: 'ada' },
  };
  const schedule = { does: 'proofs', cron: '0 2 * * 6', timeZone: 'Europe/Berlin', files: 20 };
  return mapValues<NonNullable<MessageInitShape<typeof CampaignsRecordSchema>['body']>, Message>(
    {
      campaign: {
        case: 'campaign',
        value: {
          campaignId,
          name: 'lift',
          state: CampaignState.RUNNING,
          revision: 2n,
          definition: JSON.stringify(definition),
          plan: JSON.stringify(plan),
          planHash: 'ab'.repeat(32),
          createdAtMs: atMs,
          steps: [step],
        },
      },
      progress: {
        case: 'progress',
        value: {
          campaignId,
          partition: 3,
          generation: 7n,
          repairer: 'here:7702:9',
          seenRevision: 2n,
          run: 2n,
          pass: 1,
          cursor: storageIndex(1),
          finished: true,
          inFlight: 2,
          waitsFor: 'critical files go first',
          atMs,
          outcomes: [{ outcome: 'failed', errorCode: 'repair-no-target', files: 4n }],
          sharesWritten: 5n,
          bytesRead: 6n,
          bytesWritten: 7n,
          failure: 'refused',
        },
      },
      schedule: {
        case: 'schedule',
        value: {
          name: 'weekly',
          revision: 2n,
          removed: true,
          definition: JSON.stringify(schedule),
          steps: [step],
          lastRunMs: atMs,
        },
      },
      limits: { case: 'limits', value: { revision: 2n, limits: JSON.stringify(limits), steps: [step] } },
    },
    (body) => create(CampaignsRecordSchema, { body }),
  );
}

export function allSamples(): Readonly<Record<string, Readonly<Record<string, Message>>>> {
  return {
    posts: samplePosts(),
    'share-events': sampleShareEvents(),
    'peer-events': samplePeerEvents(),
    'at-risk': sampleAtRisk(),
    enrolments: sampleEnrolments(),
    'dead-letters': sampleDeadLetters(),
    alerts: sampleAlertNotes(),
    campaigns: sampleCampaigns(),
  };
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, change: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
