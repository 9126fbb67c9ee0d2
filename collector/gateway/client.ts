/** The collector as agents and operators see it: typed calls over one pinned, kept-alive TLS connection or a few, to one collector or to the first of several that answers. */

import { toBinary } from '@bufbuild/protobuf';
import { SpanKind } from '@opentelemetry/api';
import { Pool } from 'undici';
import type { AskAnswer } from '#mesh/asking.ts';
import type { Backoff } from '#mesh/backoff.ts';
import type { ScheduleDefinition } from '#mesh/campaigns/schedule.ts';
import { type Clock, type Random, systemClock } from '#mesh/clock.ts';
import { EndpointOrder } from '#mesh/endpoint-order.ts';
import { isRetryable, MeshwardError } from '#mesh/errors.ts';
import { type AgentPost, AgentPostSchema } from '#mesh/generated/events_pb.js';
import { maxPostBytes } from '#mesh/limits.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';
import { headersOf, inSpan, tracerOf } from '#mesh/traces.ts';
import { pinnedConnector, pinnedContext, SessionCache } from '#tahoe/identity/pinned-connector.ts';
import type {
  AcknowledgementBody,
  AddressAnswer,
  DirectoryAnswer,
  DirectoryPeer,
  EnrolAnswer,
  EnrolBody,
  FilesBody,
  FindingsBody,
  MaintenanceBody,
  PostAnswer,
  SettingsAnswer,
  SettingsBody,
  SilenceBody,
  SilenceCreated,
  TokenAnswer,
  TokenBody,
} from './bodies.ts';
import type { CampaignAnswer, CommandBody, CreateCampaignBody } from './campaign-routes.ts';
import { CollectorError, connectFailures, refusalOf, unreachable } from './collector-error.ts';
import { CollectorPins, pinsHeader } from './collector-pins.ts';
import type { OperatorAnswer, OperatorBody, OperatorsAnswer } from './operator-enrolment.ts';
import type { BrakeBody, LimitsAnswer, RatesBody, ScheduleAnswer } from './repair-routes.ts';
import { settingsTag } from './settings-tag.ts';

export { CollectorError } from './collector-error.ts';

export interface CollectorClientOptions {
  /**
   * Such as `https://collector.example:7701`; or several of one mesh in order of preference, with commas between them. Where
   * one cannot be reached or is busy, the next one is asked: a post may then be in the log twice, which its order makes good.
   */
  readonly url: string;
  /** Of the key that all collectors of a mesh share; or those that are taken while one replaces the other, as collectors tell them. */
  readonly pin: PeerId | CollectorPins;
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  readonly timeouts?: { readonly connectMs?: number; readonly answerMs?: number };
  /** To each collector. Two, so that a heartbeat does not wait behind a batch that a busy log is slow to take. @default 2 */
  readonly maxConnections?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface CollectorClient {
  /**
   * Resolves when the post is durable. The same post may be sent again after any failure.
   * @param signal breaks it off; where its reason is retryable (a time limit), the collector that was asked rests.
   */
  postEvents(post: AgentPost, headers?: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<PostAnswer>;
  /** As {@link postEvents}, with a post that is serialised already. */
  postBody(body: Uint8Array, headers?: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<PostAnswer>;
  enrol(request: EnrolBody): Promise<EnrolAnswer>;
  /** @param knownVersion the answer is null where the settings still have this version, and no inventory was asked for since `knownInventoryRequest`. */
  settings(knownVersion?: number, knownInventoryRequest?: number): Promise<SettingsAnswer | null>;

  /** Tells where this peer's shares are served from now on. */
  changeAddress(nurl: string): Promise<AddressAnswer>;

  /** Whether files could be recovered right now. */
  ask(files: readonly StorageIndex[]): Promise<AskAnswer>;

  createToken(request: TokenBody): Promise<TokenAnswer>;
  /** Every enrolled peer; holds secrets. */
  directory(): Promise<readonly DirectoryPeer[]>;
  registerFiles(files: FilesBody['files']): Promise<PostAnswer>;
  /** Shares that a reader found not to be what their peers say. */
  reportFindings(findings: FindingsBody['findings']): Promise<PostAnswer>;
  deleteFile(file: StorageIndex): Promise<PostAnswer>;
  revokePeer(peer: PeerId, reason: string): Promise<PostAnswer>;
  restorePeer(peer: PeerId): Promise<PostAnswer>;
  changeSettings(peer: PeerId, change: SettingsBody): Promise<SettingsAnswer>;
  /** Asks its agent for an inventory, which it takes once it has fetched its settings. */
  requestInventory(peer: PeerId): Promise<PostAnswer>;
  drainPeer(peer: PeerId, draining: boolean): Promise<PostAnswer>;
  maintainPeer(peer: PeerId, window: MaintenanceBody): Promise<PostAnswer>;
  departPeer(peer: PeerId, reason: string): Promise<PostAnswer>;
  /** Alerts that it fits are told to nobody until then. */
  silenceAlerts(silence: SilenceBody): Promise<SilenceCreated>;
  endSilence(id: string): Promise<PostAnswer>;
  acknowledgeAlert(acknowledgement: AcknowledgementBody): Promise<PostAnswer>;
  createCampaign(campaign: CreateCampaignBody): Promise<CampaignAnswer>;
  commandCampaign(id: string, command: CommandBody): Promise<CampaignAnswer>;
  setSchedule(name: string, definition: ScheduleDefinition, why: string): Promise<ScheduleAnswer>;
  removeSchedule(name: string, why: string): Promise<ScheduleAnswer>;
  setLimits(limits: RatesBody): Promise<LimitsAnswer>;
  /** Holds bulk repair, or lets it run though the brake would hold it. */
  setBrake(word: BrakeBody): Promise<LimitsAnswer>;
  operators(): Promise<readonly OperatorAnswer[]>;
  setOperator(operator: PeerId, body: OperatorBody): Promise<OperatorAnswer>;

  close(): Promise<void>;
}

/** Larger than the largest page of the directory. */
const maxAnswerBytes = 32 * 1024 * 1024;

/** Of a collector that failed. */
const rests: Backoff = { firstMs: 1000, longestMs: 60_000 };

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: Uint8Array | string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** @throws MeshwardError `config-invalid` where the url is not one of HTTPS. */
export function createCollectorClient(options: CollectorClientOptions): CollectorClient {
  const answerMs = options.timeouts?.answerMs ?? 30_000;
  const collectors = parseUrls(options.url).map((url) => ({
    base: url.pathname.replace(/\/$/, ''),
    host: url.hostname,
    port: Number(url.port === '' ? 443 : url.port),
    pool: openPool(url, options, answerMs),
  }));
  const { clock = systemClock, random = Math.random, pin } = options;
  const order = new EndpointOrder(collectors.length, clock, rests, random);

  const ask = async <T>(
    { base, pool }: (typeof collectors)[number],
    { method, path, body, headers, signal }: Call,
  ): Promise<T | null> => {
    const answer = await pool
      .request({ method, path: base + path, body: body ?? null, headers: { ...headers }, signal: signal ?? null })
      .catch((error: unknown) => Promise.reject(unreachable(error)));
    const text = await answer.body.text().catch((error: unknown) => Promise.reject(unreachable(error)));
    if (pin instanceof CollectorPins) pin.told(answer.headers[pinsHeader]);
    if (answer.statusCode === 304) return null;
    if (answer.statusCode === 200) return JSON.parse(text) as T;
    throw refusalOf(answer.statusCode, text, answer.headers['retry-after']);
  };
  const call = async <T>(asked: Call): Promise<T | null> => {
    let failure: unknown = null;
    for (const index of order.rested()) {
      asked.signal?.throwIfAborted();
      try {
        const answer = await ask<T>(collectors[index] as (typeof collectors)[number], asked);
        order.answered(index);
        return answer;
      } catch (error) {
        if (!isOfThisCollector(error)) {
          order.answered(index);
          throw error;
        }
        if (asked.signal?.aborted === true) {
          if (isRetryable(asked.signal.reason)) order.failed(index);
          throw asked.signal.reason;
        }
        order.failed(index, error instanceof CollectorError ? error.retryAfterMs : 0);
        // What may pass by itself is told before what may not: another collector's key, for one.
        if (failure === null || (!isRetryable(failure) && isRetryable(error))) failure = error;
      }
    }
    throw failure;
  };
  const json = async <T>(method: Call['method'], path: string, body?: unknown): Promise<T> => {
    const sent =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return (await call<T>({ method, path, ...sent })) as T;
  };
  const aboutPeer = <T = PostAnswer>(peer: PeerId, what: string, body?: unknown, method: Call['method'] = 'POST') =>
    json<T>(method, `/v1/peers/${peer}/${what}`, body);

  const postBody: CollectorClient['postBody'] = async (body, headers, signal) => {
    if (body.length > maxPostBytes) {
      throw new MeshwardError('batch-too-large', `a post of ${body.length} bytes is more than ${maxPostBytes}`, {
        next: 'Cut it into smaller batches.',
      });
    }
    const [first] = collectors;
    const traced = {
      kind: SpanKind.CLIENT,
      attributes: {
        'http.request.method': 'POST',
        'url.path': '/v1/events',
        'server.address': first?.host ?? '',
        'server.port': first?.port ?? 0,
        'meshward.post.bytes': body.length,
      },
    };
    return inSpan(tracerOf('agent'), 'POST /v1/events', traced, async (span) => {
      const type = { ...headersOf(span), ...headers, 'content-type': 'application/x-protobuf' };
      const answer = await call<PostAnswer>({ method: 'POST', path: '/v1/events', body, headers: type, signal });
      span.setAttribute('http.response.status_code', 200);
      return answer as PostAnswer;
    });
  };

  return {
    postEvents: async (post, headers, signal) => postBody(toBinary(AgentPostSchema, post), headers, signal),
    postBody,
    enrol: (request) => json('POST', '/v1/enrol', request),
    settings: (knownVersion, knownInventoryRequest) =>
      call({
        method: 'GET',
        path: '/v1/settings',
        ...(knownVersion === undefined
          ? {}
          : { headers: { 'if-none-match': settingsTag(knownVersion, knownInventoryRequest) } }),
      }),
    changeAddress: (nurl) => json('PUT', '/v1/address', { nurl }),
    ask: (storageIndexes) => json('POST', '/v1/ask', { storageIndexes }),
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
    reportFindings: (findings) => json('POST', '/v1/findings', { findings }),
    deleteFile: (file) => json('DELETE', `/v1/files/${file}`),
    revokePeer: (peer, reason) => aboutPeer(peer, 'revoke', { reason }),
    restorePeer: (peer) => aboutPeer(peer, 'restore'),
    changeSettings: (peer, change) => aboutPeer<SettingsAnswer>(peer, 'settings', change, 'PUT'),
    requestInventory: (peer) => aboutPeer(peer, 'inventory'),
    drainPeer: (peer, draining) => aboutPeer(peer, 'drain', { draining }),
    maintainPeer: (peer, window) => aboutPeer(peer, 'maintenance', window),
    departPeer: (peer, reason) => aboutPeer(peer, 'depart', { reason }),
    silenceAlerts: (silence) => json('POST', '/v1/silences', silence),
    endSilence: (id) => json('POST', `/v1/silences/${id}/end`),
    acknowledgeAlert: (acknowledgement) => json('POST', '/v1/acknowledgements', acknowledgement),
    createCampaign: (campaign) => json('POST', '/v1/campaigns', campaign),
    commandCampaign: (id, command) => json('POST', `/v1/campaigns/${id}/command`, command),
    setSchedule: (name, definition, why) => json('PUT', `/v1/schedules/${name}`, { definition, why }),
    removeSchedule: (name, why) => json('POST', `/v1/schedules/${name}/remove`, { why }),
    setLimits: (limits) => json('POST', '/v1/repair/limits', limits),
    setBrake: (word) => json('POST', '/v1/repair/brake', word),
    operators: async () => (await json<OperatorsAnswer>('GET', '/v1/operators')).operators,
    setOperator: (operator, body) => json('PUT', `/v1/operators/${operator}`, body),
    async close() {
      await Promise.all(collectors.map(({ pool }) => pool.close()));
    },
  };
}

function openPool(url: URL, options: CollectorClientOptions, answerMs: number): Pool {
  const { pin } = options;
  return new Pool(url.origin, {
    connect: pinnedConnector(
      {
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port === '' ? 443 : Number(url.port),
        pin: pin instanceof CollectorPins ? () => pin.accepted : pin,
        context: pinnedContext('TLSv1.3', { key: options.key, cert: options.cert }),
      },
      {
        clock: options.clock ?? systemClock,
        sessions: new SessionCache(1),
        connectTimeoutMs: options.timeouts?.connectMs ?? 10_000,
        failures: connectFailures,
      },
    ),
    connections: options.maxConnections ?? 2,
    pipelining: 1,
    keepAliveTimeout: 60_000,
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
    maxResponseSize: maxAnswerBytes,
  });
}

function parseUrls(text: string): readonly URL[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .map((one) => {
      const url = URL.parse(one);
      if (url !== null && url.protocol === 'https:') return url;
      throw new MeshwardError('config-invalid', 'the url of the collector is not one of https', {
        next: 'Set agent.collectorUrl to something like https://collector.example:7701, or several with commas between them.',
      });
    });
}

/** Whether another collector may do what this one did not: it could not be reached, or is busy, or is none of ours. */
function isOfThisCollector(error: unknown): boolean {
  if (!(error instanceof CollectorError)) return true;
  return error.status === 0 || (error.status >= 502 && error.status <= 504);
}
