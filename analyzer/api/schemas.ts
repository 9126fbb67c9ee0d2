/** What the HTTP API answers: one schema for validation, serialisation and the OpenAPI document. Times are milliseconds since the epoch. */
import { z } from 'zod';
import { grades } from '#mesh/grade.ts';
import { peerIdPattern } from '#mesh/peer-id.ts';
import { peerStates } from '#mesh/peer-state.ts';
import { storageIndexPattern } from '#mesh/storage-index.ts';
import { alertAnswers } from './alert-schemas.ts';
import { riskAnswers } from './risk-schemas.ts';

const count = z.number().int().min(0);
const grade = z.enum(grades).meta({ description: 'Worst first: lost, critical, at-risk, degraded, healthy.' });
const storageIndex = z
  .string()
  .regex(new RegExp(storageIndexPattern))
  .meta({ description: 'Storage index: 26 characters of base32.' });
const peerId = z
  .string()
  .regex(new RegExp(peerIdPattern))
  .meta({ description: 'Peer id: 43 characters of base64url, the SHA-256 of its public key.' });

export const freshness = z
  .object({
    state: z.enum(['fresh', 'stale']),
    asOfMs: count.meta({ description: "The log's newest tick that has been dealt with; 0 before the first." }),
    reasons: z.array(z.string()).meta({ description: 'Why health is stale; empty where it is fresh.' }),
  })
  .meta({
    description: 'Whether what is told is up to date. While it is stale no share is declared gone.',
  });

export const alert = z.object({
  key: z.string(),
  severity: z.enum(['page', 'warning']).meta({ description: 'page calls a person; warning does not.' }),
  summary: z.string(),
  next: z.string(),
  files: count,
  sinceMs: count,
});

const unknownFigure = 'Null where it is not known: no analyzer has judged anything yet, and no last sweep is stored.';
const unknownLive = 'Null where no analyzer tells of any partition: the store does not keep it.';

export const meshAnswer = z
  .object({
    freshness,
    files: count.nullable().meta({ description: `${unknownFigure} freshness says why.` }),
    bytes: count.nullable().meta({ description: unknownFigure }),
    filesWithoutManifest: count.nullable().meta({ description: unknownLive }),
    settlingFiles: count.nullable().meta({ description: unknownLive }),
    byGrade: z
      .array(z.object({ grade, files: count, bytes: count }))
      .meta({ description: 'Empty where it is not known.' }),
    byMargin: z
      .array(z.object({ policy: z.string(), margin: z.number().int(), files: count, bytes: count }))
      .meta({ description: 'Empty where it is not known.' }),
    peersByState: z.array(z.object({ state: z.enum(peerStates), peers: count })),
    sweptAtMs: count.meta({ description: 'When these figures were so; 0 where it is not known.' }),
    ownedPartitions: count,
    partitions: count,
    alerts: z.array(alert),
  })
  .meta({ description: 'The mesh as the last sweep found it.' });

export const repairTries = z
  .object({
    tries: count.meta({ description: 'Repairs in a row that did not end well.' }),
    errorCode: z.string(),
    errorMessage: z.string(),
    failedAtMs: count,
    nextTryAtMs: count.nullable().meta({ description: 'Null while it is tried or waits for its turn.' }),
  })
  .meta({ description: 'Why the repair of a file has not succeeded so far.' });

export const fileAnswer = z
  .object({
    storageIndex,
    k: count,
    n: count,
    sizeBytes: count,
    verifyCap: z.string(),
    policy: z.string(),
    tag: z.string(),
    recoverableNow: z.boolean().meta({ description: 'At least k distinct shares are on peers that are up.' }),
    available: count.meta({ description: 'Distinct shares on peers that are up: margin and grade go by it.' }),
    counted: count.meta({
      description: 'Available shares and those on peers in grace or maintenance: a repair is asked for by it.',
    }),
    retained: count.meta({ description: 'Distinct shares on peers that are not departed: what comes back with them.' }),
    corrupt: count.meta({ description: 'Shares that are there and damaged.' }),
    margin: z.number().int().meta({ description: 'Available shares above k; negative: it cannot be recovered now.' }),
    grade,
    settling: z.boolean().meta({ description: 'New: its shares are still being reported.' }),
    distinctPeers: count.meta({ description: 'Peers that hold an available share.' }),
    tolerancePeers: count.meta({
      description:
        'The fewest peers whose loss leaves fewer than k available shares: it survives the loss of any one fewer. 0: it cannot be recovered now.',
    }),
    toleranceDomains: z.record(z.string(), count).meta({
      description:
        'The same for each kind of failure domain, such as zone: the fewest domains whose loss leaves fewer than k.',
    }),
    log10Loss: z.number().meta({
      description: 'log10 of the probability of loss by independent failures; orders files, promises nothing.',
    }),
    repairBelow: count.meta({ description: 'With fewer counted shares it is repaired.' }),
    repairUpTo: count.meta({ description: 'How many available shares a repair restores.' }),
    onAtRiskList: z.boolean().meta({ description: 'A repair has been asked for.' }),
    repair: repairTries.optional(),
    cause: z.string().meta({ description: 'Why shares are missing.' }),
    freshness,
  })
  .meta({ description: 'Could this file be recovered now, and how far is it from not?' });

export const repairStates = ['not-needed', 'settling', 'running', 'waiting', 'held', 'retrying', 'impossible'] as const;

export const placement = z.object({
  shareNumber: count,
  peerId,
  peerName: z.string(),
  peerState: z.enum(peerStates),
  available: z.boolean(),
  corrupt: z.boolean(),
  counted: z.boolean().exactOptional().meta({ description: 'Whether the repair trigger counts it.' }),
  domains: z.record(z.string(), z.string()).exactOptional(),
  silenceMs: count.nullable().exactOptional().meta({
    description: 'Since when its peer has not been heard; null where it never was.',
  }),
  verifiedRatio: z.number().nullable().exactOptional().meta({
    description: "The part of its peer's shares that the agent there has read and checked; null where it has not said.",
  }),
  why: z.string().exactOptional().meta({ description: 'Why it counts, or does not.' }),
});

export const fileDetailAnswer = fileAnswer.extend({
  placements: z.array(placement),
  unheldShares: z.array(count).exactOptional().meta({ description: 'Share numbers that no peer says to hold.' }),
  repairState: z.enum(repairStates).exactOptional().meta({ description: 'What repair does about it at this moment.' }),
  repairWhy: z.string().exactOptional().meta({ description: 'Why it is being repaired, or is not.' }),
});
export const fileListAnswer = z.object({ files: z.array(fileAnswer), total: count, freshness });

export const peerAnswer = z.object({
  peerId,
  name: z.string(),
  state: z.enum(peerStates),
  domains: z.record(z.string(), z.string()),
  silenceMs: count.nullable(),
  graceMs: count,
  flapScore: z.number(),
  revoked: z.boolean(),
  capacityBytes: count,
  freeBytes: count.nullable().meta({ description: 'What it could still take; null where it has not said.' }),
  shares: count,
  shareBytes: count,
  sharesVerified: count,
  agentVersion: z.string(),
  incarnation: count.meta({ description: 'Count of its starts, as it was heard last.' }),
  outdatedAtMs: count.nullable().exactOptional().meta({
    description:
      'When a collector last refused it for counting its starts lower than it was heard: it lost its count, or two agents have one key. Null where it was heard since.',
  }),
  outdatedEvents: count
    .exactOptional()
    .meta({ description: 'Events of it under an earlier incarnation that were passed over.' }),
  cpuUsedRatio: z.number(),
  spooledBatches: count,
  unreachableMs: count.nullable().exactOptional().meta({
    description:
      'Since when its shares cannot be reached, though it is heard: it counts as silent since then. Null where they can.',
  }),
  doubtedMs: count.nullable().exactOptional().meta({
    description:
      'Log time since when most shares that it says to hold were not there when they were read, in milliseconds: until they are again, none of its shares is available. Null where it is believed.',
  }),
  claimsHeld: z
    .number()
    .exactOptional()
    .meta({ description: 'Shares that it said to hold, read at random and found of late; fading.' }),
  claimsFailed: z.number().exactOptional().meta({ description: 'The same, and not found or not sound.' }),
});

export const peerDrainAnswer = z
  .object({
    peerId: z.string(),
    state: z.enum(peerStates),
    maySwitchOff: z.boolean().meta({
      description: 'The peer is draining, health is fresh, and all that it holds of known files is elsewhere too.',
    }),
    reason: z.string().meta({ description: 'Why it may not be switched off yet; empty where it may.' }),
    sharesLeft: count.meta({ description: 'Share numbers of known files of which no copy that counts is elsewhere.' }),
    filesLeft: count,
    sharesOfUnknownFiles: count.meta({
      description: 'The same for files of which nobody sent a manifest: they cannot be copied, and go with the peer.',
    }),
    freshness,
  })
  .meta({ description: 'How far a draining peer is, and whether it may be switched off.' });

export const peerListAnswer = z.object({
  peers: z.array(peerAnswer),
  total: count.exactOptional().meta({ description: 'Of all that the question fits, not only of those in `peers`.' }),
  freshness,
});

export const repairAnswer = z.object({
  id: z.string(),
  storageIndex,
  outcome: z.string(),
  errorCode: z.string(),
  startedAtMs: count,
  endedAtMs: count,
  k: count,
  n: count,
  availableBefore: count,
  availableAfter: count,
  sharesPlaced: count,
  bytesRead: count,
  bytesWritten: count,
  cause: z.string(),
  traceId: z.string().optional().meta({ description: 'Of the trace that says why; empty where none was kept.' }),
});

export const repairListAnswer = z.object({ repairs: z.array(repairAnswer) });

export const proofAnswer = z
  .object({
    id: z.string(),
    storageIndex,
    outcome: z.string(),
    errorCode: z.string(),
    atMs: count,
    shares: count,
    bytes: count,
    durationMs: count,
  })
  .meta({ description: 'A real recovery of a file from k shares, checked against its manifest.' });

export const proofListAnswer = z.object({ proofs: z.array(proofAnswer) });

export const errorAnswer = z.object({
  error: z.object({ code: z.string(), message: z.string(), next: z.string(), retryable: z.boolean() }),
});

export type MeshAnswer = z.infer<typeof meshAnswer>;
export type FileAnswerBody = z.infer<typeof fileAnswer>;
export type FileDetailAnswer = z.infer<typeof fileDetailAnswer>;
export type FileListAnswer = z.infer<typeof fileListAnswer>;
export type PeerAnswer = z.infer<typeof peerAnswer>;
export type PeerDrainAnswer = z.infer<typeof peerDrainAnswer>;
export type PeerListAnswer = z.infer<typeof peerListAnswer>;
export type RepairAnswer = z.infer<typeof repairAnswer>;
export type ProofAnswer = z.infer<typeof proofAnswer>;
export type FreshnessAnswer = z.infer<typeof freshness>;

/** Every answer by the name that it has in the OpenAPI document. */
export const answers = {
  Freshness: freshness,
  Alert: alert,
  Mesh: meshAnswer,
  RepairTries: repairTries,
  File: fileAnswer,
  Placement: placement,
  FileDetail: fileDetailAnswer,
  FileList: fileListAnswer,
  Peer: peerAnswer,
  PeerDrain: peerDrainAnswer,
  PeerList: peerListAnswer,
  Repair: repairAnswer,
  RepairList: repairListAnswer,
  Proof: proofAnswer,
  ProofList: proofListAnswer,
  ...alertAnswers,
  ...riskAnswers,
  Error: errorAnswer,
} as const satisfies Readonly<Record<string, z.ZodType>>;

export type AnswerName = keyof typeof answers;

/** The answers as fastify takes them (`addSchema`): each under its name, naming the others by theirs. */
export function answerSchemas(): readonly Readonly<Record<string, unknown>>[] {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(answers)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { target: 'openapi-3.0', io: 'output', uri: (id) => `${id}#` });
  return Object.entries(schemas).map(([id, schema]) => ({ ...schema, $id: id }));
}
