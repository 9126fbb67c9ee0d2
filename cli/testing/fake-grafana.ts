/** A little of Grafana's HTTP API: folders and dashboards, for a token that it knows. It checks what it is given. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface FakeGrafana extends AsyncDisposable {
  readonly url: string;
  readonly folders: ReadonlyMap<string, string>;
  /** By uid: what was put there last, and how often. */
  readonly dashboards: ReadonlyMap<string, StoredDashboard>;
  /** Method and path of every request. */
  readonly requests: readonly string[];
}

export interface StoredDashboard {
  readonly title: string;
  readonly folderUid: string;
  readonly schemaVersion: number;
  readonly version: number;
  readonly text: string;
}

export interface FakeGrafanaOptions {
  readonly token: string;
  readonly hasPlugin: boolean;
  /** Uid of a dashboard that is provisioned from a file. */
  readonly provisioned?: string;
}

const prefix = '/grafana';

export async function startFakeGrafana(options: FakeGrafanaOptions): Promise<FakeGrafana> {
  const folders = new Map<string, string>();
  const dashboards = new Map<string, StoredDashboard>();
  const requests: string[] = [];

  async function answer(request: IncomingMessage): Promise<readonly [status: number, body: unknown]> {
    const path = request.url ?? '';
    requests.push(`${request.method} ${path}`);
    if (request.headers.authorization !== `Bearer ${options.token}`) return [401, { message: 'Invalid API key' }];
    const body = request.method === 'POST' ? ((await json(request)) as Record<string, unknown>) : {};
    switch (`${request.method} ${path.replace(prefix, '')}`) {
      case 'GET /api/plugins/grafana-clickhouse-datasource/settings':
        return options.hasPlugin ? [200, { enabled: true }] : [404, { message: 'Plugin not found' }];
      case 'GET /api/folders/meshward': {
        const title = folders.get('meshward');
        return title === undefined ? [404, { message: 'folder not found' }] : [200, { uid: 'meshward', title }];
      }
      case 'POST /api/folders':
        folders.set(String(body['uid']), String(body['title']));
        return [200, body];
      case 'POST /api/dashboards/db':
        return store(body);
      default:
        return [404, { message: 'Not found' }];
    }
  }

  function store(body: Record<string, unknown>): readonly [number, unknown] {
    const dashboard = body['dashboard'] as Record<string, unknown>;
    const uid = String(dashboard['uid']);
    if (uid === options.provisioned) return [400, { message: 'Cannot save provisioned dashboard' }];
    if (!folders.has(String(body['folderUid']))) return [400, { message: 'folder not found' }];
    if (dashboard['id'] !== null) return [404, { message: 'Dashboard not found' }];
    const known = dashboards.get(uid);
    if (known !== undefined && body['overwrite'] !== true) return [412, { message: 'version mismatch' }];
    dashboards.set(uid, {
      title: String(dashboard['title']),
      folderUid: String(body['folderUid']),
      schemaVersion: Number(dashboard['schemaVersion']),
      version: (known?.version ?? 0) + 1,
      text: JSON.stringify(dashboard),
    });
    return [200, { uid, url: `${prefix}/d/${uid}/x`, status: 'success' }];
  }

  const server: Server = createServer((request: IncomingMessage, response: ServerResponse) => {
    void answer(request).then(([status, body]) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${prefix}`,
    folders,
    dashboards,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
