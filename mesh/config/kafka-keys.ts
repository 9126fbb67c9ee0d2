/** Section `kafka` of the configuration: how the brokers are reached, and how the log is kept on them (log.adapter kafka). */
import { z } from 'zod';
import { bytes, durationMs, key, mebibyte, minuteMs, text } from './key.ts';

/** One broker: `host:port`, IPv6 as `[::1]:9092`. */
const broker = z
  .string()
  .regex(
    /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/@[\],]+):\d{1,5}$/,
    'is no address of a broker: write host:port, such as kafka-1:9092',
  );

export const kafkaSection = z.strictObject({
  brokers: key(
    z.array(broker).max(64),
    [],
    'addresses',
    'Some brokers of your cluster as host:port; the others are learnt from them (log.adapter kafka).',
  ),
  clientId: key(
    z
      .string()
      .regex(/^[a-z0-9._-]+$/i)
      .max(200),
    'meshward',
    'name',
    "Stands in the brokers' logs and quotas, followed by the name of the service.",
  ),
  tls: z.strictObject({
    enabled: key(z.boolean(), false, 'yes/no', 'Encrypt connections to the brokers.'),
    caFile: key(text, '', 'path', "Certificates (PEM) that sign the brokers'; empty are those of Node."),
    certFile: key(text, '', 'path', 'Certificate (PEM) of this client, where brokers ask for one.'),
    keyFile: key(text, '', 'path', 'Its private key (PEM).'),
    serverName: key(
      text,
      '',
      'name',
      "The name that the brokers' certificates are checked against; empty is each broker's own host.",
    ),
  }),
  sasl: z.strictObject({
    mechanism: key(
      z.enum(['none', 'plain', 'scram-sha-256', 'scram-sha-512']),
      'none',
      'name',
      'How this client logs in. plain sends the password as it is: use it with TLS only.',
    ),
    username: key(text, '', 'name', 'User of Kafka.'),
    passwordFile: key(text, '', 'path', 'File that holds the password alone.'),
  }),
  replicationFactor: key(
    z.number().int().min(0).max(32),
    0,
    'copies',
    'Copies of each partition when topics are made. 0 is three, or as many as there are brokers.',
  ),
  minInsyncReplicas: key(
    z.number().int().min(0).max(32),
    0,
    'copies',
    'Copies that must have an event before it counts as taken. 0 is one less than there are, at least one.',
  ),
  compression: key(
    z.enum(['none', 'gzip']),
    'none',
    'name',
    'How batches are written. Storage indexes do not compress; headers and manifests do.',
  ),
  maxRecordBytes: key(
    bytes.min(3 * mebibyte).max(64 * mebibyte),
    4 * mebibyte,
    'bytes',
    'Largest event that is written; max.message.bytes of the topics follows it.',
  ),
  rebalanceTimeoutMs: key(
    durationMs.min(1000),
    5 * minuteMs,
    'ms',
    'How long an owner may take to give up a partition before it is taken from it.',
  ),
  connectTimeoutMs: key(durationMs, 10_000, 'ms', 'How long a connection to a broker may take to be made.'),
  requestTimeoutMs: key(
    durationMs.min(1000),
    30_000,
    'ms',
    'How long a broker may take to answer before it is asked again on another connection.',
  ),
  appendTimeoutMs: key(
    durationMs.min(1000),
    minuteMs,
    'ms',
    'How long an append is tried before it fails; it may have been written nevertheless.',
  ),
});
