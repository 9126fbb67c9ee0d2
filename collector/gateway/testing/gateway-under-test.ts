/** A gateway on a free port over a log in memory, with an operator, peers and clients: what the tests of this folder start from. */
import { create, fromBinary } from '@bufbuild/protobuf';
import type { Meter } from '@opentelemetry/api';
import { onTestFinished } from 'vitest';
import { InMemoryLog } from '#log/in-memory.ts';
import type { LogRecord } from '#log/port.ts';
import { type Clock, systemClock } from '#mesh/clock.ts';
import { type Config, configSchema } from '#mesh/config/schema.ts';
import {
  type AgentPost,
  AgentPostSchema,
  type DeadLetter,
  DeadLetterSchema,
  type PeerEvent,
  PeerEventsRecordSchema,
  type ShareBatch,
  ShareEventKind,
  ShareEventsRecordSchema,
} from '#mesh/generated/events_pb.js';
import type { Logger } from '#mesh/logger.ts';
import { type PeerId, peerIdToBytes } from '#mesh/peer-id.ts';
import { allTopics, type Topics } from '#mesh/topics.ts';
import { createPeerIdentity, type PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { randomSwissnum } from '#tahoe/identity/nurl.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';
import type { AskFiles } from '../analyzers.ts';
import { type CollectorClient, createCollectorClient } from '../client.ts';
import type { ConnectionLimits } from '../connections.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import type { GatewayLog } from '../service.ts';
import { createToken, enrolOperator } from '../tokens.ts';
import { testTopics } from './test-topics.ts';

export { testTopics } from './test-topics.ts';

export function newLog(topics: Topics = testTopics): InMemoryLog {
  return new InMemoryLog(allTopics(topics));
}

export interface GatewayUnderTest {
  readonly gateway: Gateway;
  readonly url: string;
  readonly port: number;
  client(identity: PeerIdentity): CollectorClient;
}

export interface TestGatewayOptions {
  readonly log: GatewayLog;
  readonly topics?: Topics;
  readonly config?: Partial<Config['collector']>;
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly askFiles?: AskFiles;
  readonly meter?: Meter;
  readonly connectionLimits?: Partial<ConnectionLimits>;
  /** The collector's key. @default a new one */
  readonly identity?: PeerIdentity;
  readonly otherPins?: readonly PeerId[];
}

/** Listening, and closed when the test is over. Ticks come rarely unless the configuration says otherwise. */
export async function startGateway(options: TestGatewayOptions): Promise<GatewayUnderTest> {
  const identity = options.identity ?? (await createPeerIdentity());
  const config = configSchema.shape.collector.parse({ port: 0, tickMs: 3_600_000, ...options.config });
  const gateway = createGateway({
    log: options.log,
    topics: options.topics ?? testTopics,
    config,
    tls: { key: privateKeyPem(identity), cert: identity.certificatePem },
    clock: options.clock ?? systemClock,
    random: () => 0,
    ...(options.otherPins === undefined ? {} : { otherPins: options.otherPins }),
    ...(options.logger === undefined ? {} : { logger: options.logger }),
    ...(options.askFiles === undefined ? {} : { askFiles: options.askFiles }),
    ...(options.meter === undefined ? {} : { meter: options.meter }),
    ...(options.connectionLimits === undefined ? {} : { connectionLimits: options.connectionLimits }),
  });
  const { host, port } = await gateway.listen();
  onTestFinished(() => gateway.close());
  const url = `https://${host}:${port}`;
  return {
    gateway,
    url,
    port,
    client: (caller) => {
      const client = createCollectorClient({
        url,
        pin: gateway.pin,
        key: privateKeyPem(caller),
        cert: caller.certificatePem,
      });
      onTestFinished(() => client.close());
      return client;
    },
  };
}

export function nurlOf(identity: PeerIdentity): string {
  return `pb://${identity.peerId}@127.0.0.1:4000/${randomSwissnum()}#v=1`;
}

export async function newOperator(log: GatewayLog, topics: Topics = testTopics): Promise<PeerIdentity> {
  const identity = await createPeerIdentity();
  await enrolOperator(log, topics, identity.peerId, 'operator');
  return identity;
}

/** A peer that was enrolled through the gateway. */
export async function newPeer(
  log: GatewayLog,
  gateway: GatewayUnderTest,
  domains: Record<string, string> = {},
  topics: Topics = testTopics,
): Promise<PeerIdentity> {
  const identity = await createPeerIdentity();
  const { token } = await createToken(log, topics, systemClock, { domains, lifetimeMs: 3_600_000 });
  await untilEnrolled(gateway.client(identity), identity, token);
  return identity;
}

/** The token was appended beside the gateway, which sees it as soon as it reads on. */
async function untilEnrolled(client: CollectorClient, identity: PeerIdentity, token: string): Promise<void> {
  await client.enrol({ token, name: 'peer', domains: {}, nurl: nurlOf(identity), capacityBytes: 0 });
}

export interface BatchShape {
  readonly incarnation?: number;
  readonly sequence?: number;
  readonly eventCount?: number;
}

/** A batch of stored shares whose storage indexes fall into every partition in turn. */
export function batchPost(identity: PeerIdentity, shape: BatchShape = {}): AgentPost {
  const count = shape.eventCount ?? 8;
  const storageIndexes = new Uint8Array(16 * count);
  for (let i = 0; i < count; i++) new DataView(storageIndexes.buffer).setUint32(16 * i, i);
  return create(AgentPostSchema, {
    body: {
      case: 'batch',
      value: {
        peerId: peerIdToBytes(identity.peerId),
        incarnation: BigInt(shape.incarnation ?? 1),
        sequence: BigInt(shape.sequence ?? 1),
        observedAtMs: 1_700_000_000_000n,
        storageIndexes,
        shareNumbers: Uint8Array.from({ length: count }, (_, i) => i),
        kinds: new Uint8Array(count).fill(ShareEventKind.STORED),
      },
    },
  });
}

export function heartbeatPost(identity: PeerIdentity, sequence = 1, incarnation = 1): AgentPost {
  return create(AgentPostSchema, {
    body: {
      case: 'event',
      value: {
        peerId: peerIdToBytes(identity.peerId),
        incarnation: BigInt(incarnation),
        sequence: BigInt(sequence),
        body: { case: 'heartbeat', value: { vitals: { cpuUsedRatio: 0.5, sharesHeld: 12n } } },
      },
    },
  });
}

export function batchesIn(
  log: InMemoryLog,
  topics: Topics = testTopics,
): readonly { record: LogRecord; batch: ShareBatch }[] {
  return log.all(topics.shareEvents.name).flatMap((record) => {
    const { body } = fromBinary(ShareEventsRecordSchema, record.value as Uint8Array);
    return body.case === 'batch' ? [{ record, batch: body.value }] : [];
  });
}

export function peerEventsIn(log: InMemoryLog, topics: Topics = testTopics): readonly PeerEvent[] {
  return log.all(topics.peerEvents.name).flatMap((record) => {
    const { body } = fromBinary(PeerEventsRecordSchema, record.value as Uint8Array);
    return body.case === 'event' ? [body.value] : [];
  });
}

export function deadLettersIn(log: InMemoryLog, topics: Topics = testTopics): readonly DeadLetter[] {
  return log.all(topics.deadLetters.name).map((record) => fromBinary(DeadLetterSchema, record.value as Uint8Array));
}
