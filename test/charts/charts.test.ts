/** The chart as its readers' clusters take it: linted, rendered for every file of values, and checked against schemas of Kubernetes. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { softwareVersion } from '#cli/version.ts';
import { type ChartTools, installChartTools, kubernetesVersions } from './install.ts';
import { Pod, type Rendered, templatesOf } from './pods.ts';
import { chartFolder, ciValues, type Resource, render, renderText } from './render.ts';

const run = promisify(execFile);
let tools: ChartTools;
let folder: string;

beforeAll(async () => {
  tools = await installChartTools();
  folder = await mkdtemp(join(tmpdir(), 'meshward-charts-'));
}, 900_000);
afterAll(() => rm(folder, { recursive: true }));

const crdPackages = {
  'keda.sh/v1alpha1': '@kubernetes-models/keda/keda.sh/v1alpha1',
  'monitoring.coreos.com/v1': '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1',
} as const;

/** @returns what is wrong with the object; empty where nothing is. */
async function checkCrd(resource: Resource): Promise<string> {
  const module = crdPackages[resource.apiVersion as keyof typeof crdPackages];
  const path = join(tools.crds, 'node_modules', module, 'index.js');
  type Model = new (value: unknown) => { validate(): void };
  const models = (await import(pathToFileURL(path).href)) as Record<string, Model>;
  try {
    new (models[resource.kind] as Model)(resource).validate();
    return '';
  } catch (error) {
    return `${resource.kind} ${resource.metadata.name}: ${String(error)}`;
  }
}

const isCrd = ({ apiVersion }: Resource): boolean => apiVersion in crdPackages;

async function kubeconform(version: string, path: string): Promise<string> {
  const schemas = `${tools.schemas(version)}/{{.ResourceKind}}{{.KindSuffix}}.json`;
  const skipped = 'ServiceMonitor,PrometheusRule,ScaledObject,TriggerAuthentication';
  const words = ['-strict', '-kubernetes-version', version, '-schema-location', schemas, '-skip', skipped, path];
  return run(tools.path('kubeconform'), words).then(
    () => '',
    ({ stdout, stderr }: { stdout: string; stderr: string }) => stdout + stderr,
  );
}

describe.each(ciValues())('with %s', (name) => {
  const values = join(chartFolder, 'ci', name);

  test('the chart is linted, and valid on three versions of Kubernetes with no field that they do not know', async () => {
    await run(tools.path('helm'), [
      'lint',
      chartFolder,
      '--strict',
      '--kube-version',
      kubernetesVersions[1],
      '-f',
      values,
    ]);
    const path = join(folder, name);
    await writeFile(path, await renderText(tools, [values]));
    for (const version of kubernetesVersions) expect(await kubeconform(version, path), version).toBe('');
  });

  test('what operators of others read is valid for them', async () => {
    const found = await Promise.all((await render(tools, [values])).filter(isCrd).map(checkCrd));
    expect(found.filter((fault) => fault !== '')).toEqual([]);
  });

  test('every container is given a configuration that the software takes', async () => {
    const resources = await render<Rendered>(tools, [values]);
    // Whatever is asked for is there.
    const secrets = new Proxy({}, { get: () => ({}) });
    const cluster = { folder: join(folder, `pods-${name}`), resources, secrets };
    const names = join(folder, 'no-names.json');
    await writeFile(names, '{}');
    for (const [what, template] of templatesOf(resources)) {
      const pod = new Pod(what, '127.0.0.1', template, cluster);
      await pod.start(names, ['config']);
      expect(await pod.ended(), `${what}: ${pod.output}`).toBe(0);
    }
  });

  test('kube-score finds nothing critical', async () => {
    const path = join(folder, `score-${name}`);
    await writeFile(path, await renderText(tools, [values]));
    // A limit on the processor slows without need, and tags are versions, which do not change.
    const words = ['--ignore-container-cpu-limit', '--ignore-test', 'container-image-pull-policy'];
    const { stdout } = await run(tools.path('kube-score'), ['score', '--output-format', 'ci', ...words, path]).catch(
      (error: unknown) => error as { stdout: string },
    );
    expect(stdout.split('\n').filter((line) => line.startsWith('[CRITICAL]'))).toEqual([]);
  });
});

test('the checks find what is wrong', async () => {
  const text = await renderText(tools, [join(chartFolder, 'ci/strimzi-values.yaml')]);
  const path = join(folder, 'wrong.yaml');
  await writeFile(path, text.replace('terminationGracePeriodSeconds', 'terminationGracePeriod'));
  expect(await kubeconform(kubernetesVersions[0], path)).toContain('terminationGracePeriod');
  const [scaled] = (await render(tools, [join(chartFolder, 'ci/strimzi-values.yaml')])).filter(isCrd) as [Resource];
  expect(await checkCrd({ ...scaled, spec: { triggers: 7 } } as Resource)).not.toBe('');
});

test.each([
  'kafka: {broker: []}',
  'mode: service',
  'collector: {scaling: {kind: keda}}',
  'keys: {collectorSecret: ""}',
  'access: {secret: ""}',
  'clickhouse: {urls: ["http://name:word@host:8123"]}',
  'analyzer: {replicas: 9}',
  'repairer: {replicas: 9}',
  'shutdown: {graceSeconds: 35}',
  'agent: {enabled: true}',
])('values that cannot work are refused: %s', async (text) => {
  const path = join(folder, 'refused.yaml');
  await writeFile(path, text);
  await expect(render(tools, [join(chartFolder, 'ci/urls-values.yaml'), path])).rejects.toThrow();
});

test('the unit tests of the chart hold', async () => {
  const { stdout } = await run(tools.path('helm-unittest'), ['--color=false', chartFolder]).catch((error: unknown) => {
    throw new Error((error as { stdout: string }).stdout);
  });
  expect(stdout).toMatch(/Tests: +\d+ passed, \d+ total/);
});

test('the README of the chart is what helm-docs makes, and its version is that of the software', async () => {
  const { stdout } = await run(tools.path('helm-docs'), ['--dry-run', '--chart-search-root', chartFolder], {
    maxBuffer: 16 * 1024 * 1024,
  });
  const readme = await readFile(join(chartFolder, 'README.md'), 'utf8');
  expect(stdout.trim() === readme.trim(), 'run node test/charts/readme.ts').toBe(true);
  const chart = parse(await readFile(join(chartFolder, 'Chart.yaml'), 'utf8')) as {
    version: string;
    appVersion: string;
  };
  expect(chart).toMatchObject({ version: softwareVersion, appVersion: softwareVersion });
});
