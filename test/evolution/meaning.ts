/** What today's code makes of the bytes on the wire, as plain JSON: two releases agree where this is the same. */
import { type DescMessage, fromBinary, type MessageShape, toJson } from '@bufbuild/protobuf';
import { AtRiskList } from '#analyzer/files/partition/at-risk-list.ts';
import { readReport } from '#analyzer/mesh/report.ts';
import { checkPost } from '#collector/gateway/check-post.ts';
import { EnrolmentTable } from '#collector/gateway/enrolment-table.ts';
import { type PostForm, readPost } from '#collector/gateway/read-post.ts';
import { readCampaigns } from '#mesh/campaigns/records.ts';
import { readNote } from '#mesh/events/alert-notes.ts';
import { readPeerEvents, readShareEvents } from '#mesh/events/records.ts';
import { AgentPostSchema, AtRiskFileSchema, DeadLetterSchema, EnrolledPeerSchema } from '#mesh/generated/events_pb.js';
import { peerIdFromBytes } from '#mesh/peer-id.ts';
import { parseAtRiskEntry } from '#repairer/queue/at-risk.ts';
import { samplePeerBytes } from './samples.ts';

/** The folders of a release's fixtures, with how a file in them is read. */
export const readers: Readonly<Record<string, (bytes: Uint8Array, form: PostForm) => unknown>> = {
  posts: meaningOfPost,
  'share-events': (bytes) => plain(readShareEvents(bytes)),
  'peer-events': meaningOfPeerEvents,
  'at-risk': meaningOfAtRisk,
  enrolments: meaningOfEnrolment,
  'dead-letters': (bytes) => jsonOf(DeadLetterSchema, fromBinary(DeadLetterSchema, bytes)),
  alerts: (bytes) => plain(readNote(bytes)),
  campaigns: (bytes) => plain(readCampaigns(bytes)),
};

function meaningOfPeerEvents(bytes: Uint8Array): unknown {
  const read = readPeerEvents(bytes);
  return plain(read.kind === 'report' ? { ...read, report: readReport(read.report) } : read);
}

/** As the gateway takes it, manifests already made DERIVED. */
function meaningOfPost(bytes: Uint8Array, form: PostForm): unknown {
  const post = readPost(bytes, form);
  const { kind, order } = checkPost(post);
  return { kind, order, post: jsonOf(AgentPostSchema, post) };
}

/** As the repairer and as the next analyzer read it. */
function meaningOfAtRisk(bytes: Uint8Array): unknown {
  const list = new AtRiskList();
  list.load(fromBinary(AtRiskFileSchema, bytes).manifest?.storageIndex as Uint8Array, bytes);
  return plain({ repairer: parseAtRiskEntry(bytes), analyzer: [...list.entries()] });
}

/** As a gateway's table has it, once under the key of each kind. */
function meaningOfEnrolment(bytes: Uint8Array): unknown {
  const table = new EnrolmentTable();
  const operatorBytes = new Uint8Array(32).fill(0x4f);
  const tokenHash = new Uint8Array(32).fill(0x70);
  const prefixed = (prefix: string, ...rest: readonly Uint8Array[]) => Buffer.concat([Buffer.from(prefix), ...rest]);
  const keys = [
    samplePeerBytes,
    prefixed('operator:', operatorBytes),
    prefixed('token:', tokenHash),
    prefixed('token:', tokenHash, new Uint8Array(16)),
  ];
  for (const [offset, key] of keys.entries()) {
    table.apply({ topic: '', partition: 0, offset, key, value: bytes, headers: {}, appendedAtMs: 0 });
  }
  const peer = table.peer(peerIdFromBytes(samplePeerBytes))?.peer;
  const hash = Buffer.from(tokenHash).toString('hex');
  return plain({
    unreadable: table.unreadable,
    peer: peer === undefined ? null : jsonOf(EnrolledPeerSchema, peer),
    operator: table.operator(peerIdFromBytes(operatorBytes)) ?? null,
    token: table.token(hash) ?? null,
    claims: table.claims(hash),
  });
}

function jsonOf<T extends DescMessage>(schema: T, message: MessageShape<T>): unknown {
  return toJson(schema, message);
}

/** Without what JSON does not have, and without what generated code adds to messages. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, each: unknown) => {
      if (key === '$typeName' || key === '$unknown') return undefined;
      if (typeof each === 'bigint') return String(each);
      return each instanceof Uint8Array ? { hex: Buffer.from(each).toString('hex') } : each;
    }),
  ) as unknown;
}
