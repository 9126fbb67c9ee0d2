/** What no key can say by itself: settings that need each other. */
import type { Config } from './schema.ts';

export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** Empty where everything fits together. */
export function problemsAcrossKeys({ log, kafka, clickhouse }: Config): readonly Problem[] {
  const problems: Problem[] = [];
  const wants = (isSo: boolean, path: string, message: string): void => {
    if (!isSo) problems.push({ path, message });
  };
  if (log.adapter === 'kafka') {
    wants(kafka.brokers.length > 0, 'kafka.brokers', 'names no broker, and log.adapter is kafka');
    wants(
      log.topicPrefix !== '',
      'log.topicPrefix',
      'is empty: on a cluster that others use too, topics need a prefix',
    );
  }
  const { tls, sasl } = kafka;
  if (sasl.mechanism !== 'none') {
    wants(sasl.username !== '', 'kafka.sasl.username', 'is empty, and kafka.sasl.mechanism is set');
    wants(sasl.passwordFile !== '', 'kafka.sasl.passwordFile', 'is empty, and kafka.sasl.mechanism is set');
  }
  wants(tls.certFile === '' || tls.keyFile !== '', 'kafka.tls.keyFile', 'is empty, and kafka.tls.certFile is set');
  wants(tls.keyFile === '' || tls.certFile !== '', 'kafka.tls.certFile', 'is empty, and kafka.tls.keyFile is set');
  const names = ['caFile', 'certFile', 'keyFile', 'serverName'] as const;
  const given = names.find((name) => tls[name] !== '');
  wants(tls.enabled || given === undefined, 'kafka.tls.enabled', `is no, and kafka.tls.${given} is set`);
  wants(
    kafka.replicationFactor === 0 || kafka.minInsyncReplicas <= kafka.replicationFactor,
    'kafka.minInsyncReplicas',
    `is ${kafka.minInsyncReplicas}, and there are only ${kafka.replicationFactor} copies (kafka.replicationFactor)`,
  );
  wants(
    clickhouse.mode !== 'external' || clickhouse.urls.length > 0,
    'clickhouse.urls',
    'names no server, and clickhouse.mode is external',
  );
  return problems;
}
