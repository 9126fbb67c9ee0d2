/** The same events as JSON rows, straight into Kafka: many rows a message, as who wants speed would send them. */
import '#log/kafka/kafkajs-timers.ts';
import { Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { ShareEventKind } from '#mesh/generated/events_pb.js';
import { answerParent, ownCpuSeconds } from './child.ts';
import { holderOf, type MeshLayout, sharesOn, storageIndexOf } from './mesh-layout.ts';

export interface ProduceStart {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  readonly layout: MeshLayout;
  readonly rowsPerMessage: number;
}

export interface ProduceFigures {
  readonly events: number;
  readonly cpuSeconds: number;
}

const messagesPerSend = 8;
let settings: ProduceStart | null = null;
let producer: Producer | null = null;
let sequence = 0;
let turn = 0;

answerParent({
  async start(start: ProduceStart): Promise<void> {
    settings = start;
    const kafka = new Kafka({ brokers: [...start.brokers], logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: start.topic, numPartitions: start.partitions }] });
    await admin.disconnect();
    producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
  },
  async produce({ from, to }: { from: number; to: number }): Promise<ProduceFigures> {
    const { layout, rowsPerMessage } = settings as ProduceStart;
    const startedCpu = ownCpuSeconds();
    let events = 0;
    let rows: string[] = [];
    let messages: string[] = [];
    const flushMessages = async (): Promise<void> => {
      const sent = messages;
      messages = [];
      if (sent.length > 0) await send(sent);
    };
    for (let peer = 0; peer < layout.peers; peer++) {
      for (const { file, shareNumber } of sharesOn(layout, peer, from, to)) {
        rows.push(rowOf(peer, file, shareNumber, ShareEventKind.STORED));
        events++;
        if (rows.length < rowsPerMessage) continue;
        messages.push(rows.join('\n'));
        rows = [];
        if (messages.length === messagesPerSend) await flushMessages();
      }
    }
    if (rows.length > 0) messages.push(rows.join('\n'));
    await flushMessages();
    return { events, cpuSeconds: ownCpuSeconds() - startedCpu };
  },
  async lose({ file, shareNumber }: { file: number; shareNumber: number }): Promise<void> {
    const { layout } = settings as ProduceStart;
    await send([rowOf(holderOf(layout, file, shareNumber), file, shareNumber, ShareEventKind.LOST)]);
  },
  end: () => producer?.disconnect(),
});

async function send(values: readonly string[]): Promise<void> {
  const { topic, partitions } = settings as ProduceStart;
  const messages = values.map((value) => ({ partition: turn++ % partitions, value }));
  await producer?.send({ topic, messages, acks: -1 });
}

function rowOf(peer: number, file: number, share: number, kind: number): string {
  const name = Buffer.from(storageIndexOf(file)).toString('hex');
  return `{"file":"${name}","share":${share},"peer":"peer-${peer}","kind":${kind},"sequence":${++sequence}}`;
}
