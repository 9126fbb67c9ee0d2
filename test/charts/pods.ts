/**
 * Runs what the chart renders, without a cluster: each container's arguments, environment and mounts as a plain process. A pod has an
 * address of loopback of its own, where 0.0.0.0 is said, and a folder in which its mounts lie; paths that lead to mounts lead there.
 * Nothing else is changed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Resource } from './render.ts';

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

interface Container {
  readonly name: string;
  readonly args: readonly string[];
  readonly env: readonly Variable[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: { readonly httpGet: { readonly path: string; readonly port: string } };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Volume {
  readonly name: string;
  readonly configMap?: { readonly name: string };
  readonly secret?: { readonly secretName: string; readonly defaultMode: number };
  readonly emptyDir?: object;
  readonly hostPath?: object;
}

interface PodSpec {
  readonly terminationGracePeriodSeconds?: number;
  readonly containers: readonly [Container];
  readonly volumes: readonly Volume[];
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: PodSpec;
}

export interface Rendered extends Resource {
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly replicas?: number;
    readonly selector?: Readonly<Record<string, string>>;
    readonly template?: PodTemplate;
  };
}

/** Every pod that the chart may run, of whatever kind. */
export function templatesOf(resources: readonly Rendered[]): ReadonlyMap<string, PodTemplate> {
  return new Map(
    resources.flatMap((resource) => {
      const template = resource.kind === 'Pod' ? (resource as unknown as PodTemplate) : resource.spec?.template;
      return template === undefined ? [] : [[`${resource.kind}-${resource.metadata.name}`, template] as const];
    }),
  );
}

export interface Cluster {
  readonly folder: string;
  readonly resources: readonly Rendered[];
  /** By name of the secret: its files. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>;
}

export interface Ended {
  readonly code: number | null;
  readonly tookMs: number;
}

const mainFile = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const podFile = new URL('./in-a-pod.js', import.meta.url).href;
/** The path of what is mounted nowhere, but named: nothing may be written there. */
const dataDir = '/var/lib/meshward';

export class Pod {
  readonly name: string;
  readonly address: string;
  readonly folder: string;
  readonly #template: PodTemplate;
  readonly #cluster: Cluster;
  #child: ChildProcess | null = null;
  #ended: Promise<number | null> = Promise.resolve(null);
  #output = '';

  constructor(name: string, address: string, template: PodTemplate, cluster: Cluster) {
    this.name = name;
    this.address = address;
    this.folder = join(cluster.folder, name);
    this.#template = template;
    this.#cluster = cluster;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#template.metadata.labels;
  }

  get graceMs(): number {
    return (this.#template.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  }

  get output(): string {
    return this.#output;
  }

  /** Paths below the folder of what is no mount. */
  get written(): readonly string[] {
    const [container] = this.#template.spec.containers;
    const mounts = container.volumeMounts.map(({ mountPath }) => mountPath.slice(1));
    return readdirSync(this.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(this.folder.length + 1))
      .filter((path) => !mounts.some((mount) => path.startsWith(`${mount}/`)));
  }

  /** @param args what is run in place of the container's own arguments. */
  async start(dnsTable: string, args?: readonly string[]): Promise<void> {
    const [container] = this.#template.spec.containers;
    await this.#mount(container);
    const variables = new Map<string, string>();
    for (const variable of container.env) variables.set(variable.name, this.#valueOf(variable, variables));
    this.#child = spawn(
      process.execPath,
      ['--import', podFile, mainFile, ...(args ?? container.args).map((word) => this.#inPod(word))],
      {
        env: {
          PATH: process.env['PATH'],
          TEST_CLUSTER_DNS: dnsTable,
          TEST_POD_NAME: this.name,
          ...Object.fromEntries(variables),
        },
        cwd: this.folder,
        // The channel ends it where this process ends before it.
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      },
    );
    const child = this.#child;
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#ended = new Promise((resolve) => child.once('close', resolve));
  }

  /** Its exit code. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  async isReady(): Promise<boolean> {
    const [{ readinessProbe, ports = [] }] = this.#template.spec.containers;
    const { path, port } = readinessProbe?.httpGet ?? { path: '/', port: '' };
    const number = ports.find(({ name }) => name === port)?.containerPort;
    return fetch(`http://${this.address}:${number}${path}`, { signal: AbortSignal.timeout(5000) }).then(
      (answer) => answer.ok,
      () => false,
    );
  }

  /** As a kubelet ends it: SIGTERM, and SIGKILL when its grace is over. */
  async stop(): Promise<Ended> {
    const startedMs = performance.now();
    this.#child?.kill('SIGTERM');
    const callOff = setTimeout(() => this.#child?.kill('SIGKILL'), this.graceMs);
    const code = await this.#ended;
    clearTimeout(callOff);
    return { code, tookMs: performance.now() - startedMs };
  }

  #valueOf({ value = '', valueFrom }: Variable, before: ReadonlyMap<string, string>): string {
    const path = valueFrom?.fieldRef.fieldPath;
    if (path !== undefined) return path === 'status.podIP' ? this.address : 'node-1';
    return this.#inPod(value.replace(/\$\((\w+)\)/g, (reference, name: string) => before.get(name) ?? reference));
  }

  async #mount({ volumeMounts }: Container): Promise<void> {
    for (const { name, mountPath } of volumeMounts) {
      const volume = this.#template.spec.volumes.find((each) => each.name === name);
      const target = join(this.folder, mountPath);
      await mkdir(target, { recursive: true });
      for (const [file, content] of Object.entries(this.#contentOf(volume)))
        await writeFile(join(target, file), typeof content === 'string' ? this.#inPod(content) : content, {
          mode: volume?.secret?.defaultMode ?? 0o644,
        });
    }
  }

  #contentOf(volume: Volume | undefined): Readonly<Record<string, string | Uint8Array>> {
    if (volume?.emptyDir !== undefined || volume?.hostPath !== undefined) return {};
    // A claim of a StatefulSet is no volume of its template.
    if (volume === undefined) return {};
    const secret = volume.secret === undefined ? undefined : this.#cluster.secrets[volume.secret.secretName];
    const map = this.#cluster.resources.find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === volume.configMap?.name,
    )?.data;
    const content = secret ?? map;
    if (content === undefined) throw new Error(`${this.name} mounts ${volume.name}, and nothing has that name`);
    return content;
  }

  #inPod(text: string): string {
    return text
      .replaceAll('0.0.0.0', this.address)
      .replaceAll('/etc/meshward/', `${this.folder}/etc/meshward/`)
      .replaceAll(dataDir, this.folder + dataDir);
  }
}

export class RunningChart implements AsyncDisposable {
  readonly pods: readonly Pod[];
  readonly #cluster: Cluster;
  readonly #dnsTable: string;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#dnsTable = join(cluster.folder, 'dns.json');
    let last = 0;
    this.pods = cluster.resources
      .filter(({ kind }) => kind === 'Deployment')
      .flatMap(({ metadata: { name }, spec }) =>
        Array.from(
          { length: spec.replicas ?? 1 },
          (_, i) => new Pod(`${name}-${i}`, `127.77.0.${++last}`, spec.template as PodTemplate, cluster),
        ),
      );
  }

  /** Runs the hooks to their ends, in their order, and then starts every pod. */
  static async start(cluster: Cluster): Promise<RunningChart> {
    const chart = new RunningChart(cluster);
    await mkdir(cluster.folder, { recursive: true });
    chart.#writeNames();
    try {
      await chart.#runHooks();
      for (const pod of chart.pods) await pod.start(chart.#dnsTable);
    } catch (error) {
      await chart[Symbol.asyncDispose]();
      throw error;
    }
    return chart;
  }

  of(component: string): readonly Pod[] {
    return this.pods.filter(({ labels }) => labels['app.kubernetes.io/component'] === component);
  }

  /** `helm test`. @returns what the pod said. */
  async test(): Promise<string> {
    const found = this.#cluster.resources.find(({ kind }) => kind === 'Pod') as PodTemplate & Rendered;
    const pod = new Pod(found.metadata.name, '127.77.1.2', found, this.#cluster);
    await pod.start(this.#dnsTable);
    if ((await pod.ended()) !== 0) throw new Error(pod.output);
    return pod.output;
  }

  /** Again after it was stopped. */
  restart(pod: Pod): Promise<void> {
    return pod.start(this.#dnsTable);
  }

  async #runHooks(): Promise<void> {
    const weightOf = ({ metadata }: Rendered): number => Number(metadata.annotations?.['helm.sh/hook-weight'] ?? 0);
    const jobs = this.#cluster.resources.filter(({ kind }) => kind === 'Job').sort((a, b) => weightOf(a) - weightOf(b));
    for (const { metadata, spec } of jobs) {
      const hook = new Pod(metadata.name, '127.77.1.1', spec.template as PodTemplate, this.#cluster);
      await hook.start(this.#dnsTable);
      const code = await hook.ended();
      if (code !== 0) throw new Error(`the hook ${metadata.name} ended with ${code}:\n${hook.output}`);
    }
  }

  #writeNames(): void {
    const services = this.#cluster.resources.filter(({ kind }) => kind === 'Service');
    const names = services.map(({ metadata: { name }, spec: { selector = {} } }) => {
      const behind = this.pods.filter(({ labels }) =>
        Object.entries(selector).every(([key, is]) => labels[key] === is),
      );
      return [name, behind.map(({ address }) => address)];
    });
    writeFileSync(this.#dnsTable, JSON.stringify(Object.fromEntries(names)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.pods.map((pod) => pod.stop()));
  }
}
