/** Puts the dashboards into a Grafana through its HTTP API: what is there already is brought up to date, and keeps its address. */
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { PlainDashboard } from './build/plain.ts';
import { clickhousePlugin } from './build/target.ts';

export interface GrafanaOptions {
  /** With its path where it has one. */
  readonly url: string;
  /** Of a service account with the role Editor. A secret: it goes into a header and nowhere else. */
  readonly token: string;
  /** Title of the folder; it is made where it is not there. */
  readonly folder: string;
  readonly dashboards: readonly PlainDashboard[];
  /** Stands in Grafana's history of each. */
  readonly message: string;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
}

export interface InstalledDashboard {
  readonly title: string;
  readonly url: string;
}

export interface Installation {
  readonly dashboards: readonly InstalledDashboard[];
  /** False where Grafana has no plugin for ClickHouse; null where it does not tell this token. */
  readonly hasPlugin: boolean | null;
}

const folderUid = 'meshward';

/** @throws MeshwardError `grafana-unreachable` (retryable), `grafana-refused`. */
export async function installDashboards(options: GrafanaOptions): Promise<Installation> {
  const { dashboards, message } = options;
  const plugin = await request(options, 'GET', `api/plugins/${clickhousePlugin}/settings`);
  await openFolder(options);
  const installed: InstalledDashboard[] = [];
  for (const dashboard of dashboards) {
    const body = { dashboard, folderUid, overwrite: true, message };
    const answer = await request(options, 'POST', 'api/dashboards/db', body);
    if (answer.status !== 200) throw refused(`the dashboard “${dashboard.title}”`, answer);
    const { url: told } = answer.body;
    const path = typeof told === 'string' ? told : `/d/${dashboard.uid}`;
    installed.push({ title: dashboard.title, url: new URL(path, options.url).href });
  }
  return { dashboards: installed, hasPlugin: plugin.status === 200 ? true : plugin.status === 404 ? false : null };
}

async function openFolder(options: GrafanaOptions): Promise<void> {
  const known = await request(options, 'GET', `api/folders/${folderUid}`);
  if (known.status === 200) return;
  if (known.status !== 404) throw refused('GET api/folders', known);
  const made = await request(options, 'POST', 'api/folders', { uid: folderUid, title: options.folder });
  // 409 and 412: another installation made it at the same time.
  if (![200, 409, 412].includes(made.status)) throw refused(`the folder “${options.folder}”`, made);
}

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

async function request(options: GrafanaOptions, method: string, path: string, body?: unknown): Promise<Answer> {
  const base = options.url.endsWith('/') ? options.url : `${options.url}/`;
  let response: Response;
  let text: string;
  try {
    response = await options.fetch(new URL(path, base), {
      method,
      headers: {
        authorization: `Bearer ${options.token}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A login page that answers with 200 is no answer.
      redirect: 'manual',
      signal: AbortSignal.timeout(options.timeoutMs),
    });
    text = await response.text();
  } catch (error) {
    throw new MeshwardError('grafana-unreachable', `no answer from ${base}: ${describeError(error)}`, {
      next: "See that this is Grafana's own address, with its path where it has one, and that this machine may reach it.",
      retryable: true,
    });
  }
  if (response.status >= 500)
    throw new MeshwardError('grafana-unreachable', `${base} answered ${response.status}`, {
      next: 'Try again when Grafana is well.',
      retryable: true,
    });
  if (response.status === 401 || response.status === 403) {
    // The plugin is asked for out of courtesy: who may not see it may still write dashboards.
    if (method === 'GET' && path.startsWith('api/plugins/') && response.status === 403)
      return { status: 403, body: {} };
    const what = response.status === 401 ? 'the token' : `${method} ${path}`;
    throw refused(what, { status: response.status, body: parsed(text) });
  }
  return { status: response.status, body: parsed(text) };
}

function parsed(text: string): Answer['body'] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Answer['body']) : {};
  } catch {
    return {};
  }
}

function refused(what: string, { status, body }: Answer): MeshwardError {
  const words = typeof body['message'] === 'string' ? `: ${body['message'].slice(0, 300)}` : '';
  const login = status >= 300 && status < 400 ? ' and sends to another page' : '';
  return new MeshwardError('grafana-refused', `Grafana refuses ${what} (${status}${words})${login}`, {
    next: 'The token must belong to a service account with the role Editor. A dashboard that is provisioned from a file is changed in that file.',
  });
}
