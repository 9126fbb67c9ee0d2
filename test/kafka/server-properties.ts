/** The `server.properties` of a node for tests: KRaft, broker and controller in one, on loopback, small and quick. */

export type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512';

export interface NodePorts {
  readonly client: number;
  readonly internal: number;
  readonly controller: number;
}

export interface NodeSettings {
  readonly nodeId: number;
  readonly dataFolder: string;
  /** Of every node, in the order of node ids from 1 on. */
  readonly ports: readonly NodePorts[];
  readonly sasl: { readonly mechanism: SaslMechanism; readonly users: Readonly<Record<string, string>> } | null;
  readonly tls: { readonly keyStore: string; readonly trustStore: string; readonly clients: boolean } | null;
  /** With an authorizer: who may do everything. Null is no authorizer. */
  readonly superUsers: readonly string[] | null;
  readonly properties: Readonly<Record<string, string | number | boolean>>;
}

export function serverProperties(settings: NodeSettings): string {
  const { nodeId, ports } = settings;
  const own = ports[nodeId - 1] as NodePorts;
  const protocol = `${settings.sasl === null ? '' : 'SASL_'}${settings.tls === null ? 'PLAINTEXT' : 'SSL'}`;
  const lines: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    'controller.quorum.voters': ports.map(({ controller }, i) => `${i + 1}@127.0.0.1:${controller}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `CLIENT://127.0.0.1:${own.client},INTERNAL://127.0.0.1:${own.internal},CONTROLLER://127.0.0.1:${own.controller}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${own.client},INTERNAL://127.0.0.1:${own.internal}`,
    'listener.security.protocol.map': `CLIENT:${protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': settings.dataFolder,
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    // Tests have members that fall silent, and will not wait the six seconds of the default for them.
    'group.min.session.timeout.ms': 100,
    'log.cleaner.dedupe.buffer.size': 2 * 1024 * 1024,
    'num.network.threads': 2,
    'num.io.threads': 4,
    ...internalTopics(ports.length),
    ...saslProperties(settings.sasl),
    ...tlsProperties(settings.tls),
    ...authorizerProperties(settings.superUsers),
    ...settings.properties,
  };
  return `${Object.entries(lines)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')}\n`;
}

function internalTopics(nodes: number): Record<string, number> {
  const replicas = Math.min(nodes, 3);
  const inSync = replicas === 1 ? 1 : 2;
  return {
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'default.replication.factor': replicas,
  };
}

function saslProperties(sasl: NodeSettings['sasl']): Record<string, string> {
  if (sasl === null) return {};
  const module = 'org.apache.kafka.common.security';
  const entry = `listener.name.client.${sasl.mechanism}.sasl.jaas.config`;
  const passwords = Object.entries(sasl.users).map(([user, password]) => ` user_${user}="${password}"`);
  return {
    'sasl.enabled.mechanisms': sasl.mechanism.toUpperCase(),
    [entry]:
      sasl.mechanism === 'plain'
        ? `${module}.plain.PlainLoginModule required${passwords.join('')};`
        : `${module}.scram.ScramLoginModule required;`,
  };
}

function tlsProperties(tls: NodeSettings['tls']): Record<string, string> {
  if (tls === null) return {};
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': tls.keyStore,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': tls.trustStore,
    'ssl.client.auth': tls.clients ? 'required' : 'none',
    // The user of a client certificate is its common name alone.
    'ssl.principal.mapping.rules': 'RULE:^CN=([^,]+).*$/$1/,DEFAULT',
  };
}

function authorizerProperties(superUsers: readonly string[] | null): Record<string, string> {
  if (superUsers === null) return {};
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Nodes talk to each other without names, on a listener that no client is told of.
    'super.users': ['ANONYMOUS', ...superUsers].map((user) => `User:${user}`).join(';'),
  };
}
