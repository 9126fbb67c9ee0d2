/** A gateway in a process of its own, over a log in memory that keeps nothing: what ingest costs without its log. */
import { createGateway, type Gateway } from '#collector/gateway/gateway.ts';
import { InMemoryLog } from '#log/in-memory.ts';
import { configSchema } from '#mesh/config/schema.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { allTopics, topicsOf } from '#mesh/topics.ts';
import { answerParent } from './child.ts';
import { enrolledRecord, newIdentity } from './identities.ts';

export interface GatewayStart {
  readonly peers: readonly PeerId[];
  readonly partitions: number;
}

export interface GatewayFacts {
  readonly port: number;
  readonly pin: PeerId;
}

/** Far above what the bench sends: it measures cost, not limits. */
const unlimited = 1_000_000_000;
const forgetMs = 50;

let gateway: Gateway | null = null;
let forgetting: NodeJS.Timeout | null = null;
let records = 0;

answerParent({
  async start({ peers, partitions }: GatewayStart): Promise<GatewayFacts> {
    const topics = topicsOf({
      prefix: 'bench.',
      shareEventsPartitions: partitions,
      peerEventsPartitions: 1,
      retentionMs: 3_600_000,
      retentionBytes: 0,
    });
    const log = new InMemoryLog(allTopics(topics));
    await log.append(
      topics.enrolments.name,
      peers.map((peer) => enrolledRecord(peer)),
    );
    forgetting = setInterval(() => {
      for (const { name } of [topics.shareEvents, topics.peerEvents]) {
        records += log.all(name).length;
        log.forget(name);
      }
    }, forgetMs);
    const identity = await newIdentity();
    gateway = createGateway({
      log,
      topics,
      config: configSchema.shape.collector.parse({
        port: 0,
        tickMs: 60_000,
        postsPerSecond: unlimited,
        eventsPerSecond: unlimited,
      }),
      tls: { key: identity.key, cert: identity.cert },
    });
    const { port } = await gateway.listen();
    return { port, pin: gateway.pin };
  },
  records: () => records,
  async end() {
    if (forgetting !== null) clearInterval(forgetting);
    await gateway?.close();
  },
});
