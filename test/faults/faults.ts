/** What operators live through, each as one act against a cluster under load. An act ends with everything running again. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import '#log/kafka/kafkajs-timers.ts';
import type { Random } from '#mesh/clock.ts';
import type { Topics } from '#mesh/topics.ts';
import type { KafkaCluster, KafkaNode } from '../kafka/cluster.ts';
import type { AnalyzerProcesses } from './analyzer-processes.ts';
import type { MeshLoad } from './mesh-load.ts';
import type { GateMode, StoreGate } from './store-gate.ts';

export interface FaultScene {
  /** Null where the log has no brokers. */
  readonly cluster: KafkaCluster | null;
  readonly analyzers: AnalyzerProcesses;
  readonly load: MeshLoad;
  /** What analyzers take for ClickHouse. */
  readonly gate: StoreGate;
  readonly topics: Topics;
  readonly random: Random;
  /** A member of a group that is silent for so long is dead. */
  readonly sessionTimeoutMs: number;
  readonly say: (line: string) => void;
}

export interface Fault {
  readonly name: string;
  /** It strikes brokers: not on the embedded log. */
  readonly needsBrokers?: true;
  readonly run: (scene: FaultScene) => Promise<void>;
}

export const faults: readonly Fault[] = [
  {
    name: 'leader frozen',
    needsBrokers: true,
    async run({ cluster, topics, random, sessionTimeoutMs, say }) {
      const node = await leaderOfSome(brokers(cluster), topics, random);
      const forMs = 2000 + random() * 2 * sessionTimeoutMs;
      say(`broker ${node} is frozen for ${Math.round(forMs)} ms`);
      nodeOf(brokers(cluster), node).freeze();
      await pause(forMs);
      nodeOf(brokers(cluster), node).thaw();
    },
  },
  {
    name: 'leader killed',
    needsBrokers: true,
    async run({ cluster, topics, random, say }) {
      const node = await leaderOfSome(brokers(cluster), topics, random);
      say(`broker ${node} is killed`);
      await nodeOf(brokers(cluster), node).kill();
      await pause(1000 + random() * 3000);
      await nodeOf(brokers(cluster), node).start();
    },
  },
  {
    name: 'rolling restart',
    needsBrokers: true,
    async run({ cluster, say }) {
      for (const node of brokers(cluster).nodes) {
        say(`broker ${node.nodeId} is restarted`);
        await node.stop();
        await node.start();
        await inSync(brokers(cluster));
      }
    },
  },
  {
    name: 'controller lost',
    needsBrokers: true,
    async run({ cluster, random, say }) {
      const node = await activeController(brokers(cluster));
      say(`broker ${node}, the active controller, is killed`);
      await nodeOf(brokers(cluster), node).kill();
      await pause(1000 + random() * 2000);
      await nodeOf(brokers(cluster), node).start();
    },
  },
  {
    name: 'disk full',
    needsBrokers: true,
    async run({ cluster, topics, random, say }) {
      const node = await leaderOfSome(brokers(cluster), topics, random);
      say(`broker ${node} can write no more`);
      // Every write to a file fails from here on, as on a full disk: the broker gives its log up and ends.
      const { pid } = nodeOf(brokers(cluster), node);
      const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), '--fsize=0:0']);
      if (status !== 0) throw new Error(`the limit could not be set: ${stderr.toString()}`);
      await ended(pid);
      await nodeOf(brokers(cluster), node).kill();
      await nodeOf(brokers(cluster), node).start();
    },
  },
  {
    name: 'analyzers come, go and are killed',
    async run({ analyzers, random, say }) {
      const next = Math.max(...analyzers.running.map(({ number }) => number)) + 1;
      say(`analyzer ${next} joins`);
      analyzers.start(next);
      await pause(2000 + random() * 2000);
      const [killed, left] = analyzers.running.map(({ number }) => number);
      say(`analyzer ${killed} is killed`);
      await analyzers.kill(killed as number);
      await pause(random() * 2000);
      if (left !== undefined && left !== next) {
        say(`analyzer ${left} leaves`);
        await analyzers.stop(left);
        analyzers.start(left);
      }
      analyzers.start(killed as number);
      await pause(1000);
      say(`analyzer ${next} leaves`);
      await analyzers.stop(next);
    },
  },
  {
    name: 'zombie woken',
    async run({ analyzers, random, sessionTimeoutMs, say }) {
      const running = analyzers.running.map(({ number }) => number);
      const zombie = running[Math.floor(random() * running.length)] as number;
      say(`analyzer ${zombie} is frozen beyond its session`);
      analyzers.freeze(zombie);
      await pause(sessionTimeoutMs * (1.5 + random()));
      analyzers.thaw(zombie);
    },
  },
  {
    name: 'log truncated under stopped analyzers',
    needsBrokers: true,
    async run({ cluster, analyzers, load, topics, say }) {
      const numbers = analyzers.running.map(({ number }) => number);
      say('all analyzers stop');
      await Promise.all(numbers.map((number) => analyzers.stop(number)));
      await pause(2000);
      await load.quiet();
      await truncate(brokers(cluster), topics.shareEvents.name);
      say('share-events was emptied before it was read');
      for (const number of numbers) analyzers.start(number);
      // What agents do when they are asked for it: until then the analyzers know no better.
      await load.takeInventories();
      load.speak();
    },
  },
  {
    name: 'killed before the store has it',
    run: (scene) => killedAtTheStore(scene, 'held'),
  },
  {
    name: 'killed before the store has said so',
    run: (scene) => killedAtTheStore(scene, 'unanswered'),
  },
  {
    name: 'answers of the store break',
    async run({ gate, say }) {
      say('the store takes every other insert, and nobody hears so');
      gate.mode = 'broken-answers';
      await gate.caught('file_health', 5, caughtPatienceMs);
      gate.mode = 'open';
    },
  },
  {
    name: 'files deleted, and shares of files that nobody knows',
    async run({ load, say }) {
      say('owners delete files; shares without a manifest come and go');
      await load.quiet();
      await load.strangers(true);
      await load.deleteFiles(5);
      load.speak();
      await pause(1000);
      await load.quiet();
      await load.strangers(false);
    },
  },
  {
    name: 'records that nobody can read',
    async run({ load, say }) {
      say('records come that are none');
      await load.sayUnreadable();
      await load.quiet();
      // What agents do when they are asked for it, since such a record may have been anything.
      await load.takeInventories();
    },
  },
];

const caughtPatienceMs = 10_000;
/** Many looks of an analyzer: whatever it would do too soon, it has done by then. */
const doneTooSoonMs = 1500;

/**
 * What was said last of the shares is on its way to the store when every analyzer is killed. Whoever had committed its offset by then
 * would never hear of it again.
 */
async function killedAtTheStore({ analyzers, load, gate, say }: FaultScene, mode: GateMode): Promise<void> {
  const numbers = analyzers.running.map(({ number }) => number);
  await load.quiet();
  gate.mode = mode;
  say(mode === 'held' ? 'the store takes nothing' : 'the store takes all and says nothing');
  await load.changeOnce(0.3);
  await gate.caught('placements', numbers.length, caughtPatienceMs);
  await pause(doneTooSoonMs);
  say('all analyzers are killed');
  await Promise.all(numbers.map((number) => analyzers.kill(number)));
  gate.mode = 'open';
  for (const number of numbers) analyzers.start(number);
}

/** @throws Error naming the faults that there are. */
export function faultOf(name: string): Fault {
  const found = faults.find((fault) => fault.name === name);
  if (found !== undefined) return found;
  throw new Error(`there is no fault "${name}": ${faults.map((fault) => fault.name).join(', ')}`);
}

function brokers(cluster: KafkaCluster | null): KafkaCluster {
  if (cluster === null) throw new Error('this fault needs a log with brokers');
  return cluster;
}

function nodeOf(cluster: KafkaCluster, nodeId: number): KafkaNode {
  const found = cluster.nodes.find((node) => node.nodeId === nodeId);
  if (found === undefined) throw new Error(`there is no broker ${nodeId}`);
  return found;
}

async function ended(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await pause(100);
  }
}

/** The node whose log says last that it became the controller. */
async function activeController(cluster: KafkaCluster): Promise<number> {
  let found = { nodeId: -1, epoch: -1 };
  for (const { nodeId, logPath } of cluster.nodes) {
    for (const [, epoch] of (await readFile(logPath, 'utf8')).matchAll(
      /Becoming the active controller at epoch (\d+)/g,
    )) {
      if (Number(epoch) > found.epoch) found = { nodeId, epoch: Number(epoch) };
    }
  }
  if (found.nodeId < 0) throw new Error('no broker says that it became the controller');
  return found.nodeId;
}

type Admin = ReturnType<kafkajs.Kafka['admin']>;

const adminPatienceMs = 60_000;

/** Tried again for a while: leaders move and connections break under faults. */
async function withAdmin<T>(cluster: KafkaCluster, run: (admin: Admin) => Promise<T>): Promise<T> {
  const giveUpAtMs = performance.now() + adminPatienceMs;
  for (;;) {
    const kafka = new kafkajs.Kafka({ brokers: [...cluster.brokers], logLevel: kafkajs.logLevel.NOTHING });
    const admin = kafka.admin();
    try {
      await admin.connect();
      return await run(admin);
    } catch (error) {
      if (performance.now() > giveUpAtMs) throw error;
      await pause(200);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

async function leaderOfSome(cluster: KafkaCluster, { shareEvents }: Topics, random: Random): Promise<number> {
  const chosen = random();
  return withAdmin(cluster, async (admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [shareEvents.name] });
    const partitions = topics[0]?.partitions ?? [];
    const leader = partitions[Math.floor(chosen * partitions.length)]?.leader;
    if (leader === undefined || leader < 0) throw new Error('the partition has no leader');
    return leader;
  });
}

/** Resolves when every partition of every topic is on all of its replicas: the next broker may go. */
export async function inSync(cluster: KafkaCluster): Promise<void> {
  for (;;) {
    const isInSync = await withAdmin(cluster, async (admin) => {
      const { topics } = await admin.fetchTopicMetadata();
      return topics.every(({ partitions }) => partitions.every(({ isr, replicas }) => isr.length === replicas.length));
    }).catch(() => false);
    if (isInSync) return;
    await pause(200);
  }
}

async function truncate(cluster: KafkaCluster, topic: string): Promise<void> {
  await withAdmin(cluster, async (admin) => {
    const partitions = (await admin.fetchTopicOffsets(topic)).map(({ partition, high }) => ({
      partition,
      offset: high,
    }));
    await admin.deleteTopicRecords({ topic, partitions });
  });
}
