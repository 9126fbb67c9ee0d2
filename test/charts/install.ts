/**
 * What the chart is checked with, into `.tools/` (not committed): Helm and its helpers by `go install`, the schemas of Kubernetes from
 * PyPI's kubernetes-validate, those of CRDs from npm. Run by itself: `node test/charts/install.ts`; a few minutes the first time.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const toolsFolder = join(dirname(fileURLToPath(import.meta.url)), '../../.tools');
const patienceMs = 900_000;

/** By the name of the program. */
const programs = {
  helm: 'helm.sh/helm/v3/cmd/helm@v3.22.0',
  kubeconform: 'github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0',
  'kube-score': 'github.com/zegl/kube-score/cmd/kube-score@v1.20.0',
  'helm-docs': 'github.com/norwoodj/helm-docs/cmd/helm-docs@v1.14.2',
} as const;
const unittest = 'github.com/helm-unittest/helm-unittest/cmd/helm-unittest';
const unittestVersion = 'v1.1.2';
const schemasVersion = '1.37.0';
const crds = { '@kubernetes-models/keda': '2.0.0', '@kubernetes-models/prometheus-operator': '6.0.0' } as const;

/** The chart is checked against the oldest of these, the newest, and one between them. */
export const kubernetesVersions = ['1.31.0', '1.34.0', '1.37.0'] as const;

export interface ChartTools {
  path(program: keyof typeof programs | 'helm-unittest'): string;
  /** Of one version of Kubernetes, as kubeconform names files. */
  schemas(version: string): string;
  /** A folder with the packages of CRDs in it. */
  readonly crds: string;
}

export async function installChartTools(): Promise<ChartTools> {
  const bin = join(toolsFolder, `helm-${programs.helm.split('@')[1]}`);
  const schemas = join(toolsFolder, `kubernetes-schemas-${schemasVersion}`);
  const crdsFolder = join(toolsFolder, `kubernetes-crds-${Object.values(crds).join('-')}`);
  await madeOnce(bin, installPrograms);
  await madeOnce(schemas, installSchemas);
  await madeOnce(crdsFolder, installCrds);
  return {
    path: (program) => join(bin, program),
    schemas: (version) => join(schemas, `v${version}`),
    crds: crdsFolder,
  };
}

/** Made beside and renamed, so that two at once cannot see half of it. */
async function madeOnce(folder: string, make: (beside: string) => Promise<void>): Promise<void> {
  if (await isThere(folder)) return;
  const beside = `${folder}.${randomBytes(4).toString('hex')}`;
  await mkdir(beside, { recursive: true });
  try {
    await make(beside);
    await rename(beside, folder);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    if (!(await isThere(folder))) throw error;
  }
}

async function installPrograms(folder: string): Promise<void> {
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod' };
  for (const from of Object.values(programs)) await run('go', ['install', from], { env, timeout: patienceMs });
  // A replacement is only heard in a module of one's own.
  const module = join(folder, 'module');
  await mkdir(module);
  await writeFile(
    join(module, 'go.mod'),
    'module tools\n\ngo 1.24\n\nreplace github.com/vmware-labs/yaml-jsonpath => github.com/helm-unittest/yaml-jsonpath v0.4.0\n',
  );
  const inModule = { cwd: module, timeout: patienceMs };
  await run('go', ['get', '-tool', `${unittest}@${unittestVersion}`], inModule);
  await run('go', ['build', '-o', join(folder, 'helm-unittest'), unittest], inModule);
  await rm(module, { recursive: true });
}

async function installSchemas(folder: string): Promise<void> {
  const packed = join(folder, 'packed');
  const pip = ['-m', 'pip', 'download', '-q', '--no-deps', '-d', packed, `kubernetes-validate==${schemasVersion}`];
  await run('python3', pip, { timeout: patienceMs });
  const [wheel = ''] = await readdir(packed);
  await run('python3', ['-m', 'zipfile', '-e', join(packed, wheel), packed], { timeout: patienceMs });
  for (const version of kubernetesVersions) {
    const from = join(packed, `kubernetes_validate/kubernetes-json-schema/v${version}-local`);
    const to = join(folder, `v${version}`);
    await mkdir(to);
    for (const name of await readdir(from)) {
      const schema: unknown = JSON.parse(await readFile(join(from, name), 'utf8'));
      await writeFile(join(to, name), JSON.stringify(strict(schema)));
    }
  }
  await rm(packed, { recursive: true });
}

/** References that lead to the file beside it, and no property that the schema does not name. */
function strict(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(strict);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node)
    .filter(([name, value]) => name !== '$id' || typeof value !== 'string')
    .map(([name, value]) => [
      name,
      // A schema of schemas has properties of these names.
      name === '$ref' && typeof value === 'string'
        ? value.replace('/api/_definitions.json', '_definitions.json')
        : strict(value),
    ]);
  const made = Object.fromEntries(entries) as Record<string, unknown>;
  const isClosed = typeof made['properties'] === 'object' && made['additionalProperties'] === undefined;
  const isOpen = made['x-kubernetes-preserve-unknown-fields'] === true;
  const isObject = [made['type']].flat().includes('object');
  return isClosed && !isOpen && isObject ? { ...made, additionalProperties: false } : made;
}

async function installCrds(folder: string): Promise<void> {
  const packages = Object.entries(crds).map(([name, version]) => `${name}@${version}`);
  await writeFile(join(folder, 'package.json'), '{"type": "module"}\n');
  await run('npm', ['install', '--ignore-scripts', '--no-save', '--prefix', folder, ...packages], {
    timeout: patienceMs,
  });
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

if (import.meta.main) console.log((await installChartTools()).path('helm'));
