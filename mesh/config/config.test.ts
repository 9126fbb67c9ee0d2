import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MeshwardError } from '../errors.ts';
import { loadConfig } from './load.ts';
import { configKeys } from './schema.ts';

function refusal(run: () => unknown): MeshwardError {
  try {
    run();
  } catch (error) {
    if (error instanceof MeshwardError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

function fileWith(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'meshward-config-')), 'meshward.yaml');
  writeFileSync(path, text);
  return path;
}

describe('configuration', () => {
  it('has a default, a unit and a description for every key', () => {
    for (const key of configKeys()) {
      expect(key.fallback, key.path).not.toBeUndefined();
      expect(key.unit, key.path).toMatch(/\S/);
      expect(key.description, key.path).toMatch(/\.$/);
    }
  });

  it('takes the file over defaults, the environment over the file and flags over all', () => {
    const file = fileWith('api:\n  port: 1\nlog:\n  topicPrefix: file-\ncollector:\n  port: 3\n');
    const { config, origins } = loadConfig({
      file,
      environment: { MESHWARD_API_PORT: '2', MESHWARD_LOG_TOPIC_PREFIX: '12', PATH: 'x' },
      flags: { 'api.port': '4' },
    });
    expect(config.api.port).toBe(4);
    expect(config.collector.port).toBe(3);
    expect(config.log.topicPrefix).toBe('12');
    expect(config.repairer.port).toBe(7702);
    expect(origins.get('api.port')).toBe('flag');
    expect(origins.get('log.topicPrefix')).toBe('environment');
    expect(origins.get('collector.port')).toBe('file');
    expect(origins.get('repairer.port')).toBe('default');
  });

  it('names every key that is wrong and where it was set', () => {
    const error = refusal(() =>
      loadConfig({
        environment: { MESHWARD_API_PORT: 'seven' },
        flags: { 'collector.tickMs': -1, 'log.adaptor': 'x' },
      }),
    );
    expect(error.code).toBe('config-invalid');
    expect(error.message).toContain('api.port (environment)');
    expect(error.message).toContain('collector.tickMs (flag)');
    expect(error.message).toContain('log.adaptor (flag): there is no such key');
  });

  it('refuses unknown variables and unknown keys of a file', () => {
    expect(refusal(() => loadConfig({ environment: { MESHWARD_API_PROT: '1' } })).message).toContain(
      'MESHWARD_API_PROT',
    );
    expect(refusal(() => loadConfig({ file: fileWith('apy:\n  port: 1\n') })).message).toContain(
      'apy.port (file, line 2)',
    );
  });

  it('refuses a file that is missing or no YAML', () => {
    expect(refusal(() => loadConfig({ file: '/nonexistent/meshward.yaml' })).code).toBe('config-invalid');
    expect(refusal(() => loadConfig({ file: fileWith('a: [1') })).message).toContain('is no YAML');
  });

  it.each([
    ['dataDir:/var/lib/x', 1],
    ['# all of it\n\ndataDir:/var/lib/x\n', 3],
    ['- dataDir: /var/lib/x\n', 1],
    ['just words\n', 1],
    ['7700\n', 1],
    ['dataDir: /x\n---\napi: {}\n', 2],
  ])('refuses a file that is no map, naming the line: %j', (text, line) => {
    const { code, message } = refusal(() => loadConfig({ file: fileWith(text) }));
    expect(code).toBe('config-invalid');
    expect(message).toContain(`line ${line}`);
  });

  it.each(['api: 7700', 'api: [port]', 'api: port:7700', 'kafka: { tls: yes }'])(
    'refuses what is no map where a section belongs: %s',
    (text) => {
      const { code, message } = refusal(() => loadConfig({ file: fileWith(`dataDir: /x\n${text}\n`) }));
      expect(code).toBe('config-invalid');
      expect(message).toMatch(/(api|kafka\.tls) \(file, line 2\): is a section of keys/);
    },
  );

  it('names the line of a key that is wrong, and takes sections that hold nothing for empty', () => {
    const file = fileWith('api:\n# nothing yet\ncollector:\n  port: 3\n  tickMs: soon\n');
    expect(refusal(() => loadConfig({ file })).message).toContain('collector.tickMs (file, line 5)');
    for (const text of ['', '# only words\n', '---\n', '{}', 'api:\nlog:\n'])
      expect(loadConfig({ file: fileWith(text) }).origins.get('api.port')).toBe('default');
    expect(loadConfig({ file: fileWith('api: &a\n  port: 9\nrepairer: *a\n') }).config.repairer.port).toBe(9);
  });

  it('says what is missing where keys need each other', () => {
    const kafka = (flags: Readonly<Record<string, unknown>>): string =>
      refusal(() => loadConfig({ flags: { 'log.adapter': 'kafka', 'kafka.brokers': ['a:1'], ...flags } })).message;
    expect(kafka({ 'kafka.brokers': [] })).toContain('kafka.brokers (flag): names no broker');
    expect(kafka({ 'log.topicPrefix': '' })).toContain('log.topicPrefix (flag)');
    const login = kafka({ 'kafka.sasl.mechanism': 'scram-sha-512' });
    expect(login).toContain('kafka.sasl.username (default)');
    expect(login).toContain('kafka.sasl.passwordFile (default)');
    expect(kafka({ 'kafka.tls.enabled': true, 'kafka.tls.certFile': 'x' })).toContain('kafka.tls.keyFile');
    expect(kafka({ 'kafka.tls.enabled': true, 'kafka.tls.keyFile': 'x' })).toContain('kafka.tls.certFile');
    expect(kafka({ 'kafka.tls.caFile': 'x' })).toContain(
      'kafka.tls.enabled (default): is no, and kafka.tls.caFile is set',
    );
    expect(kafka({ 'kafka.replicationFactor': 2, 'kafka.minInsyncReplicas': 3 })).toContain('kafka.minInsyncReplicas');
    const urls = refusal(() => loadConfig({ flags: { 'clickhouse.mode': 'external' } })).message;
    expect(urls).toContain('clickhouse.urls');
  });

  it('wants a name and a password of a sink together, and no token beside them', () => {
    const sink = { kind: 'alertmanager', name: 'team', urls: ['https://alerts.example'] };
    const withLogin = (login: object) => () => loadConfig({ flags: { 'alerts.sinks': [{ ...sink, ...login }] } });
    const pair = { username: 'ann', passwordFile: '/password' };
    expect(withLogin(pair)().config.alerts.sinks[0]).toMatchObject(pair);
    expect(refusal(withLogin({ username: 'ann' })).message).toContain('team one of username and passwordFile');
    expect(refusal(withLogin({ ...pair, tokenFile: '/token' })).message).toContain('team a tokenFile and a password');
    expect(refusal(withLogin({ ...pair, username: 'a:b' })).message).toContain('alerts.sinks');
  });

  it('takes addresses of brokers as names, numbers and IPv6, and nothing else', () => {
    const brokers = ['kafka-1:9092', '10.0.0.1:9092', '[::1]:9092'];
    expect(loadConfig({ flags: { 'kafka.brokers': brokers } }).config.kafka.brokers).toEqual(brokers);
    for (const wrong of ['kafka-1', 'http://kafka-1:9092', 'user@kafka:9092', 'a:1,b:2', '::1:9092']) {
      expect(() => loadConfig({ flags: { 'kafka.brokers': [wrong] } }), wrong).toThrow('kafka.brokers');
    }
  });

  it('reads sections within sections from every source', () => {
    const { config, origins } = loadConfig({
      file: fileWith('kafka:\n  sasl: { mechanism: plain, username: ann }\n'),
      environment: { MESHWARD_KAFKA_SASL_PASSWORD_FILE: '/secret' },
    });
    expect(config.kafka.sasl).toEqual({ mechanism: 'plain', username: 'ann', passwordFile: '/secret' });
    expect(origins.get('kafka.sasl.username')).toBe('file');
    expect(config.kafka.tls.enabled).toBe(false);
  });

  it('refuses a policy whose thresholds are out of order', () => {
    const rule = { name: 'odd', coding: { k: 25, n: 100 }, repairBelow: 20 };
    expect(refusal(() => loadConfig({ flags: { policies: [rule] } })).message).toContain('policy "odd"');
  });

  it('lets nothing be served beyond loopback without access and TLS', () => {
    const access = { 'access.tokensFile': '/etc/meshward/tokens.json' };
    const tls = { 'api.tlsCertFile': 'c', 'api.tlsKeyFile': 'k' };
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'mesh.example', '[::1].example']) {
      expect(refusal(() => loadConfig({ flags: { 'api.host': host } })).message).toContain(
        'api.host (flag): is beyond loopback, where anybody could ask',
      );
      const open = refusal(() => loadConfig({ flags: { 'api.host': host, ...access } }));
      expect(open.message).toContain('api.host (flag): is beyond loopback, where tokens could be read on the way');
      loadConfig({ flags: { 'api.host': host, ...access, ...tls } });
      loadConfig({ flags: { 'api.host': host, ...access, 'access.allowPlainHttp': true } });
    }
    for (const key of ['collector.opsHost', 'agent.opsHost']) {
      expect(refusal(() => loadConfig({ flags: { [key]: '0.0.0.0' } })).message).toContain(`${key} (flag)`);
      loadConfig({ flags: { [key]: '0.0.0.0', ...access, 'access.allowPlainHttp': true } });
    }
    expect(refusal(() => loadConfig({ flags: { 'repairer.host': '0.0.0.0' } })).message).toContain('repairer.host');
    for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1']) loadConfig({ flags: { 'api.host': host } });
  });

  it('takes addresses and subnets of proxies, and nothing else for one', () => {
    const proxies = (text: string) =>
      loadConfig({ flags: { 'access.trustedProxies': text, 'access.proxyRoles': '[{group: sre, role: operator}]' } });
    proxies('[10.0.0.1, 10.1.0.0/16, "::1", "fd00::/8"]');
    for (const wrong of ['proxy.example', '10.0.0.0/33', '10.0.0', '10.0.0.0/x'])
      expect(refusal(() => proxies(`[${wrong}]`)).message).toContain('is neither an address nor a subnet');
    expect(refusal(() => loadConfig({ flags: { 'access.trustedProxies': '[10.0.0.1]' } })).message).toContain(
      'access.proxyRoles (default): is empty',
    );
  });
});
