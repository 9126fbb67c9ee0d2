/** How this process reaches the brokers: section `kafka` of the configuration, with the files that it names. */
import { readFile } from 'node:fs/promises';
import type { KafkaRole } from '#log/kafka/acl.ts';
import type { KafkaAdmin, KafkaConnection } from '#log/kafka/admin.ts';
import type { TopicSettings } from '#log/kafka/topic-plan.ts';
import type { Config } from '#mesh/config/schema.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { type Topics, topicsOf } from '#mesh/topics.ts';

/** @throws MeshwardError `config-invalid` naming the key of a file that cannot be read. */
export async function kafkaConnectionOf({ kafka }: Config, role: KafkaRole): Promise<KafkaConnection> {
  const { tls, sasl } = kafka;
  const file = async (key: 'caFile' | 'certFile' | 'keyFile'): Promise<string | undefined> =>
    tls[key] === '' ? undefined : readSettingFile(`kafka.tls.${key}`, tls[key]);
  return {
    brokers: kafka.brokers,
    clientId: `${kafka.clientId}-${role}`,
    connectTimeoutMs: kafka.connectTimeoutMs,
    requestTimeoutMs: kafka.requestTimeoutMs,
    tls: tls.enabled
      ? {
          ca: await file('caFile'),
          cert: await file('certFile'),
          key: await file('keyFile'),
          servername: tls.serverName === '' ? undefined : tls.serverName,
        }
      : undefined,
    sasl:
      sasl.mechanism === 'none'
        ? undefined
        : {
            mechanism: sasl.mechanism,
            username: sasl.username,
            password: (await readSettingFile('kafka.sasl.passwordFile', sasl.passwordFile)).trim(),
          },
  };
}

/** As the user that the configuration names; the caller closes it. */
export async function openAdmin(config: Config, role: KafkaRole): Promise<KafkaAdmin> {
  const { openKafkaAdmin } = await import('#log/kafka/admin.ts');
  return openKafkaAdmin(await kafkaConnectionOf(config, role));
}

export function topicSettingsOf({ kafka }: Config): TopicSettings {
  const { replicationFactor, minInsyncReplicas, maxRecordBytes } = kafka;
  return { replicationFactor, minInsyncReplicas, maxRecordBytes };
}

export function topicsOfConfig({ log }: Config): Topics {
  return topicsOf({
    prefix: log.topicPrefix,
    shareEventsPartitions: log.shareEventsPartitions,
    peerEventsPartitions: log.peerEventsPartitions,
    retentionMs: log.retentionMs,
    retentionBytes: log.retentionBytes,
  });
}

/** @throws MeshwardError `config-invalid` naming the key, never the content. */
export async function readSettingFile(key: string, path: string): Promise<string> {
  let text = '';
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new MeshwardError('config-invalid', `${key} ${path} cannot be read: ${describeError(error)}`, {
      next: 'Name a file that this user can read.',
    });
  }
  if (text.trim() !== '') return text;
  throw new MeshwardError('config-invalid', `${key} ${path} is empty`, { next: 'Put into it what the key asks for.' });
}
