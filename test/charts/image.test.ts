/** Dockerfile and compose.yaml, as far as they can be held without a container engine: what they name is there, and what they configure is taken. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { softwareVersion } from '#cli/version.ts';
import { loadConfig } from '#mesh/config/load.ts';
import { prometheusProgram } from '../setup/prometheus.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

interface Service {
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly image: string;
}

const compose = parse(readFileSync(join(root, 'compose.yaml'), 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly configs: Readonly<Record<string, { readonly file: string }>>;
};
const ours = Object.entries(compose.services).filter(([, { image }]) => image.startsWith('meshward:'));

describe('the image', () => {
  test('is of this version, runs as the user that the chart runs as, and starts the command', () => {
    expect(dockerfile.match(/image\.version="([^"]+)"/g)).toEqual([
      `image.version="${softwareVersion}-embedded"`,
      `image.version="${softwareVersion}"`,
    ]);
    const chart = readFileSync(join(root, 'charts/meshward/templates/_helpers.tpl'), 'utf8');
    const user = /runAsUser: (\d+)/.exec(chart)?.[1];
    expect(dockerfile.match(/^USER .*$/gm)).toEqual([`USER ${user}:${user}`, `USER ${user}:${user}`]);
    expect(dockerfile.match(/^ENTRYPOINT .*$/gm)).toEqual(
      Array(2).fill('ENTRYPOINT ["/nodejs/bin/node", "/app/cli/main.js"]'),
    );
  });

  test('copies what is there', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(' '),
    );
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('compose.yaml', () => {
  test('mounts what is there, and publishes nothing beyond loopback', () => {
    const mounts = Object.values(compose.services).flatMap(({ volumes = [] }) => volumes);
    const local = mounts.filter((mount) => mount.startsWith('./')).map((mount) => mount.split(':')[0] as string);
    expect(local.filter((path) => !/^\.\/(keys|data)\//.test(path) && !existsSync(join(root, path)))).toEqual([]);
    const ports = Object.values(compose.services).flatMap((service) => service.ports ?? []);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test.each(ours)(
    'gives %s a configuration and a command that it takes',
    (_name, { command = [], environment = {} }) => {
      const file = join(root, compose.configs['meshward']?.file ?? '');
      const { config } = loadConfig({ file, environment });
      expect(config.log.adapter).toBe('kafka');
      expect(['collector', 'analyzer', 'repairer', 'topics', 'database']).toContain(command[0]);
    },
  );

  test('has a Prometheus and an Alertmanager whose files they take', async () => {
    const folder = join(root, 'deploy/compose');
    await run(prometheusProgram('promtool'), ['check', 'config', '--syntax-only', join(folder, 'prometheus.yml')]);
    await run(prometheusProgram('amtool'), ['check-config', join(folder, 'alertmanager.yml')]);
  });
});
