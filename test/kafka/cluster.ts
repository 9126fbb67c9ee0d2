/** A real Apache Kafka on loopback: one node or three, in KRaft mode, with or without passwords, TLS and ACLs. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { reserveBlock } from '#cli/ports.ts';
import { BrokerProcess, formatStorage, loggingProperties } from './broker-process.ts';
import { type Authority, createAuthority } from './certificates.ts';
import { type NodePorts, type NodeSettings, type SaslMechanism, serverProperties } from './server-properties.ts';

export interface KafkaOptions {
  readonly nodes: 1 | 3;
  /** Clients give a user and a password. */
  readonly sasl?: { readonly mechanism: SaslMechanism; readonly users: Readonly<Record<string, string>> };
  /** Clients speak TLS; with `clients`, they show a certificate too, and its common name is their user. */
  readonly tls?: { readonly clients: boolean };
  /** StandardAuthorizer: nobody may do anything without an ACL, but for these users. Needs `sasl`, or `tls` with `clients`. */
  readonly acls?: { readonly superUsers: readonly string[] };
  /** More lines of server.properties, or other values. */
  readonly properties?: Readonly<Record<string, string | number | boolean>>;
}

export interface KafkaNode {
  readonly nodeId: number;
  /** `127.0.0.1:PORT`; the same over restarts. */
  readonly address: string;
  readonly logPath: string;
  /** Of the Java process that runs now, or ran last. */
  readonly pid: number;
  /** SIGKILL, frozen or not; resolves when the process is gone. */
  kill(): Promise<void>;
  /** A controlled shutdown. */
  stop(): Promise<void>;
  /** SIGSTOP: its connections stay open, and nothing answers. */
  freeze(): void;
  thaw(): void;
  /** On what it had on disk; resolves when it takes requests. */
  start(): Promise<void>;
}

export interface KafkaCluster {
  readonly brokers: readonly string[];
  /** The brokers in one text, separated by commas. */
  readonly bootstrap: string;
  readonly nodes: readonly KafkaNode[];
  /** Where `tls` was asked for: `ca` for clients to trust, and certificates for them. */
  readonly authority: Authority | null;
  /** Kills the nodes and removes their folder. */
  stop(): Promise<void>;
}

/** Below the peers of demonstrations, and below the ports that systems take for outgoing connections: a node comes back to its own. */
const firstPort = 12_000;
const lastPort = 20_000;
const portsOfCluster = 9;

/** Resolves when every node takes requests: 5 s for one node, 13 s for three. The nodes end with this process, however it ends. */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  if (options.acls !== undefined && options.sasl === undefined && options.tls?.clients !== true)
    throw new Error('with ACLs, clients must have names: sasl, or tls with client certificates');
  const reserved = await reserveBlock(firstPort, lastPort, portsOfCluster);
  const folder = await mkdtemp(join(tmpdir(), 'meshward-kafka-'));
  const processes: BrokerProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map((node) => node.kill()));
    await rm(folder, { recursive: true, force: true });
    await reserved.release();
  };
  try {
    const ports = Array.from({ length: options.nodes }, (_, i): NodePorts => {
      const [client, internal, controller] = reserved.ports.slice(i * 3) as [number, number, number];
      return { client, internal, controller };
    });
    const authority = options.tls === undefined ? null : await createAuthority();
    const tls = authority === null ? null : await writeStores(folder, authority, options.tls?.clients === true);
    const clusterId = newClusterId();
    const nodes = await Promise.all(
      ports.map(async (port, i): Promise<KafkaNode> => {
        const nodeId = i + 1;
        const path = join(folder, `node-${nodeId}`);
        await mkdir(path);
        const settings: NodeSettings = {
          nodeId,
          ports,
          tls,
          dataFolder: join(path, 'data'),
          sasl: options.sasl ?? null,
          superUsers: options.acls?.superUsers ?? null,
          properties: options.properties ?? {},
        };
        await writeFile(join(path, 'server.properties'), serverProperties(settings), { mode: 0o600 });
        await writeFile(join(path, 'log4j2.properties'), loggingProperties({ path, nodeId }));
        await formatStorage({ path, nodeId }, clusterId, scramUsers(options.sasl));
        const node = new BrokerProcess({ path, nodeId });
        processes.push(node);
        return {
          nodeId,
          address: `127.0.0.1:${port.client}`,
          logPath: join(path, 'server.log'),
          get pid() {
            return node.pid;
          },
          kill: () => node.kill(),
          stop: () => node.stop(),
          freeze: () => node.freeze(),
          thaw: () => node.thaw(),
          start: () => node.start(),
        };
      }),
    );
    await Promise.all(nodes.map((node) => node.start()));
    const brokers = nodes.map((node) => node.address);
    return { brokers, bootstrap: brokers.join(','), nodes, authority, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** 16 bytes in URL-safe base64, as Kafka has them; a tool that is given one which begins with a dash takes it for an option. */
function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

function scramUsers(sasl: KafkaOptions['sasl']): readonly string[] {
  if (sasl === undefined || sasl.mechanism === 'plain') return [];
  const mechanism = sasl.mechanism.toUpperCase();
  return Object.entries(sasl.users).map(([name, password]) => `${mechanism}=[name=${name},password=${password}]`);
}

async function writeStores(folder: string, authority: Authority, clients: boolean): Promise<NodeSettings['tls']> {
  const { cert, key } = await authority.server();
  const keyStore = join(folder, 'broker.pem');
  const trustStore = join(folder, 'ca.pem');
  await writeFile(keyStore, `${key}\n${cert}\n`, { mode: 0o600 });
  await writeFile(trustStore, `${authority.ca}\n`);
  return { keyStore, trustStore, clients };
}
