/** What no key can say by itself: settings that need each other. */
import { isLoopback } from '../loopback.ts';
import { isAccessAsked } from './access-keys.ts';
import type { Config } from './schema.ts';

export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** Empty where everything fits together. */
export function problemsAcrossKeys(config: Config): readonly Problem[] {
  const { log, kafka, clickhouse, access, alerts } = config;
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
  const hasAccess = isAccessAsked(access);
  for (const section of ['api', 'repairer'] as const) {
    const { host, tlsCertFile, tlsKeyFile } = config[section];
    wants(
      tlsCertFile === '' || tlsKeyFile !== '',
      `${section}.tlsKeyFile`,
      `is empty, and ${section}.tlsCertFile is set`,
    );
    wants(
      tlsKeyFile === '' || tlsCertFile !== '',
      `${section}.tlsCertFile`,
      `is empty, and ${section}.tlsKeyFile is set`,
    );
    if (isLoopback(host)) continue;
    wants(
      hasAccess,
      `${section}.host`,
      'is beyond loopback, where anybody could ask: set access.tokensFile (`meshward access create` makes it) or access.trustedProxies',
    );
    wants(
      tlsCertFile !== '' || access.allowPlainHttp,
      `${section}.host`,
      `is beyond loopback, where tokens could be read on the way: set ${section}.tlsCertFile and ${section}.tlsKeyFile, or access.allowPlainHttp where a proxy ends TLS`,
    );
  }
  for (const section of ['collector', 'agent'] as const) {
    wants(
      isLoopback(config[section].opsHost) || (hasAccess && access.allowPlainHttp),
      `${section}.opsHost`,
      'is beyond loopback, where anybody could ask and read tokens on the way: set access.tokensFile (`meshward access create` makes it), and access.allowPlainHttp where the network keeps others out',
    );
  }
  wants(
    access.trustedProxies.length === 0 || access.proxyRoles.length > 0,
    'access.proxyRoles',
    'is empty, and access.trustedProxies is set: nobody would be let in',
  );
  for (const sink of alerts.sinks) {
    if (sink.kind !== 'alertmanager' && sink.kind !== 'webhook') continue;
    const { name, tokenFile, username, passwordFile } = sink;
    const isPair = (username === undefined) === (passwordFile === undefined);
    wants(isPair, 'alerts.sinks', `gives ${name} one of username and passwordFile: they go together`);
    const isOne = tokenFile === undefined || (username === undefined && passwordFile === undefined);
    wants(isOne, 'alerts.sinks', `gives ${name} a tokenFile and a password: only one of them can be sent`);
  }
  return problems;
}
