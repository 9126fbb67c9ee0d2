/** The collector as agents and operators see it: typed calls over one pinned, kept-alive TLS connection or a few. */
import { toBinary } from '@bufbuild/protobuf';
import { Pool } from 'undici';
import type { ApiError } from '#mesh/api-error.ts';
import { describeError, type ErrorCode, errorCodes, MeshwardError } from '#mesh/errors.ts';
import { type AgentPost, AgentPostSchema } from '#mesh/generated/events_pb.js';
import { maxPostBytes } from '#mesh/limits.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import type {
  DirectoryAnswer,
  DirectoryPeer,
  EnrolAnswer,
  EnrolBody,
  FilesBody,
  MaintenanceBody,
  PostAnswer,
  SettingsAnswer,
  SettingsBody,
  TokenAnswer,
  TokenBody,
} from './bodies.ts';
import { pinnedConnector } from './pinned-connector.ts';

export interface CollectorClientOptions {
  /** Such as `https://collector.example:7701`. */
  readonly url: string;
  readonly pin: PeerId;
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  readonly timeouts?: { readonly connectMs?: number; readonly answerMs?: number };
  /** Two, so that a heartbeat does not wait behind a batch that a busy log is slow to take. @default 2 */
  readonly maxConnections?: number;
}

export interface CollectorClient {
  /** Resolves when the post is durable. The same post may be sent again after any failure. */
  postEvents(post: AgentPost, headers?: Readonly<Record<string, string>>): Promise<PostAnswer>;
  enrol(request: EnrolBody): Promise<EnrolAnswer>;
  /** @param knownVersion the answer is null where the settings still have this version. */
  settings(knownVersion?: number): Promise<SettingsAnswer | null>;

  createToken(request: TokenBody): Promise<TokenAnswer>;
  /** Every enrolled peer; holds secrets. */
  directory(): Promise<readonly DirectoryPeer[]>;
  registerFiles(files: FilesBody['files']): Promise<PostAnswer>;
  deleteFile(file: StorageIndex): Promise<PostAnswer>;
  revokePeer(peer: PeerId, reason: string): Promise<PostAnswer>;
  restorePeer(peer: PeerId): Promise<PostAnswer>;
  changeSettings(peer: PeerId, change: SettingsBody): Promise<SettingsAnswer>;
  drainPeer(peer: PeerId, draining: boolean): Promise<PostAnswer>;
  maintainPeer(peer: PeerId, window: MaintenanceBody): Promise<PostAnswer>;
  departPeer(peer: PeerId, reason: string): Promise<PostAnswer>;

  close(): Promise<void>;
}

/** What the collector, or the way to it, said no with. */
export class CollectorError extends MeshwardError {
  /** 0 where no answer came. */
  readonly status: number;
  /** How long to wait before the same call; 0 where the collector named no time. */
  readonly retryAfterMs: number;

  constructor(
    status: number,
    said: { code: ErrorCode; message: string; next: string; retryable: boolean; cause?: unknown },
    retryAfterMs: number,
  ) {
    super(said.code, said.message, {
      next: said.next,
      retryable: said.retryable,
      ...(said.cause === undefined ? {} : { cause: said.cause }),
    });
    this.name = 'CollectorError';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Larger than the largest page of the directory. */
const maxAnswerBytes = 32 * 1024 * 1024;

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @throws MeshwardError `config-invalid` where the url is not one of HTTPS. */
export function createCollectorClient(options: CollectorClientOptions): CollectorClient {
  const url = parseUrl(options.url);
  const answerMs = options.timeouts?.answerMs ?? 30_000;
  const pool = new Pool(url.origin, {
    connect: pinnedConnector({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 443 : Number(url.port),
      pin: options.pin,
      key: options.key,
      cert: options.cert,
      connectTimeoutMs: options.timeouts?.connectMs ?? 10_000,
    }),
    connections: options.maxConnections ?? 2,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
    maxResponseSize: maxAnswerBytes,
  });
  const base = url.pathname.replace(/\/$/, '');

  const call = async <T>({ method, path, body, headers }: Call): Promise<T | null> => {
    const answer = await pool
      .request({ method, path: base + path, body: body ?? null, headers: { ...headers } })
      .catch((error: unknown) => Promise.reject(unreachable(error)));
    const text = await answer.body.text().catch((error: unknown) => Promise.reject(unreachable(error)));
    if (answer.statusCode === 304) return null;
    if (answer.statusCode === 200) return JSON.parse(text) as T;
    throw refusalOf(answer.statusCode, text, answer.headers['retry-after']);
  };
  const json = async <T>(method: Call['method'], path: string, body?: unknown): Promise<T> => {
    const sent =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return (await call<T>({ method, path, ...sent })) as T;
  };
  const aboutPeer = <T = PostAnswer>(peer: PeerId, what: string, body?: unknown, method: Call['method'] = 'POST') =>
    json<T>(method, `/v1/peers/${peer}/${what}`, body);

  return {
    async postEvents(post, headers) {
      const body = toBinary(AgentPostSchema, post);
      if (body.length > maxPostBytes) {
        throw new MeshwardError('batch-too-large', `a post of ${body.length} bytes is more than ${maxPostBytes}`, {
          next: 'Cut it into smaller batches.',
        });
      }
      const type = { ...headers, 'content-type': 'application/x-protobuf' };
      return (await call<PostAnswer>({ method: 'POST', path: '/v1/events', body, headers: type })) as PostAnswer;
    },
    enrol: (request) => json('POST', '/v1/enrol', request),
    settings: (knownVersion) =>
      call({
        method: 'GET',
        path: '/v1/settings',
        ...(knownVersion === undefined ? {} : { headers: { 'if-none-match': `"${knownVersion}"` } }),
      }),
    createToken: (request) => json('POST', '/v1/tokens', request),
    async directory() {
      const peers: DirectoryPeer[] = [];
      for (let after = ''; ; ) {
        const page = await json<DirectoryAnswer>('GET', `/v1/directory${after === '' ? '' : `?after=${after}`}`);
        peers.push(...page.peers);
        if (page.next === null) return peers;
        after = page.next;
      }
    },
    registerFiles: (files) => json('POST', '/v1/files', { files }),
    deleteFile: (file) => json('DELETE', `/v1/files/${file}`),
    revokePeer: (peer, reason) => aboutPeer(peer, 'revoke', { reason }),
    restorePeer: (peer) => aboutPeer(peer, 'restore'),
    changeSettings: (peer, change) => aboutPeer<SettingsAnswer>(peer, 'settings', change, 'PUT'),
    drainPeer: (peer, draining) => aboutPeer(peer, 'drain', { draining }),
    maintainPeer: (peer, window) => aboutPeer(peer, 'maintenance', window),
    departPeer: (peer, reason) => aboutPeer(peer, 'depart', { reason }),
    close: () => pool.close(),
  };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && url.protocol === 'https:') return url;
  throw new MeshwardError('config-invalid', 'the url of the collector is not one of https', {
    next: 'Set agent.collectorUrl to something like https://collector.example:7701.',
  });
}

function unreachable(error: unknown): MeshwardError {
  if (error instanceof MeshwardError) return error;
  const said = {
    code: 'service-unavailable' as const,
    message: `the collector cannot be reached: ${describeError(error)}`,
    next: 'Check that it runs and that its url is right; the same call may be made again.',
    retryable: true,
    cause: error,
  };
  return new CollectorError(0, said, 0);
}

function refusalOf(status: number, text: string, retryAfter: string | string[] | undefined): CollectorError {
  const seconds = typeof retryAfter === 'string' ? Number(retryAfter) : 0;
  const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3600) * 1000 : 0;
  const said = parseApiError(text);
  const code = errorCodes.find((known) => known === said?.code) ?? 'internal';
  return new CollectorError(
    status,
    {
      code,
      message: said?.message ?? `the collector answered ${status}`,
      next: said?.next ?? 'Check that the url is that of a collector.',
      retryable: said?.retryable ?? status >= 500,
    },
    retryAfterMs,
  );
}

function parseApiError(text: string): ApiError['error'] | null {
  try {
    const { error } = JSON.parse(text) as Partial<ApiError>;
    return typeof error?.code === 'string' && typeof error.message === 'string' && typeof error.next === 'string'
      ? error
      : null;
  } catch {
    return null;
  }
}
