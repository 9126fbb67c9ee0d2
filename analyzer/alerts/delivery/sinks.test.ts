/** What goes over the wire to each kind of sink, and that no secret comes back in an error. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configSchema } from '#mesh/config/schema.ts';
import { describeError } from '#mesh/errors.ts';
import { type Notice, noticeOf, watchdogNotice } from './notice.ts';
import type { AlertSink, SinkError } from './sink.ts';
import { createSinks } from './sinks.ts';
import { addresses, alertOf, calm } from './testing/stage.ts';

interface Post {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const context = { mesh: 'm1', addresses, outlook: calm, nowMs: 2_000_000, validMs: 300_000 };
const summary = 'zone <!channel> & co is gone';
const page = noticeOf(
  { id: 'one', alert: alertOf('domain-lost:zone eu-1', { summary }), sinceMs: 1_000_000 },
  context,
  null,
);
const over: Notice = { ...page, state: 'resolved', endedAtMs: 1_500_000 };

describe('sinks', () => {
  let directory: string;
  let server: Server;
  let posts: Post[];
  let answer: { status: number; headers?: Record<string, string>; body?: string };
  let made: AlertSink[];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'meshward-sinks-'));
    posts = [];
    made = [];
    answer = { status: 202 };
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8');
      request.on('data', (part: string) => (body += part));
      request.on('end', () => {
        posts.push({ path: request.url ?? '', headers: request.headers, body });
        response.writeHead(answer.status, answer.headers).end(answer.body);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
  });
  afterEach(async () => {
    await Promise.all(made.map((sink) => sink.close()));
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  });

  const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  async function file(name: string, text: string): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, `${text}\n`);
    return path;
  }
  function sinkOf(config: object): AlertSink {
    const sinks = createSinks(configSchema.shape.alerts.parse({ sinks: [{ name: 'it', ...config }] }));
    made.push(...sinks);
    return sinks[0] as AlertSink;
  }
  const send = (sink: AlertSink, notice: Notice): Promise<void> => sink.send(notice, new AbortController().signal);
  const body = (at = 0): Record<string, unknown> => JSON.parse(posts[at]?.body ?? '') as Record<string, unknown>;

  it('trigger, acknowledge and resolve one incident at PagerDuty', async () => {
    const routingKeyFile = await file('key', 'r0uting');
    const sink = sinkOf({ kind: 'pagerduty', routingKeyFile, url: `${url()}/v2/enqueue` });
    await send(sink, page);
    await send(sink, { ...page, state: 'acknowledged', why: 'acknowledged by ann' });
    await send(sink, over);
    const key = { routing_key: 'r0uting', dedup_key: 'meshward/m1/domain-lost:zone eu-1' };
    expect(body(0)).toMatchObject({
      ...key,
      event_action: 'trigger',
      links: [{ href: 'http://mesh.example/runbooks/MeshwardDomainLost.md', text: 'Runbook' }, { text: 'Dashboard' }],
      payload: {
        summary,
        source: 'm1',
        severity: 'critical',
        component: 'eu-1',
        class: 'MeshwardDomainLost',
        timestamp: '1970-01-01T00:16:40.000Z',
        custom_details: { 'at stake': '12 files, 4.0 KiB', command: 'meshward peers --state down' },
      },
    });
    expect(body(1)).toEqual({ ...key, event_action: 'acknowledge' });
    expect(body(2)).toEqual({ ...key, event_action: 'resolve' });
  });

  it('write to Slack what calls nobody by accident', async () => {
    const sink = sinkOf({ kind: 'slack', urlFile: await file('url', `${url()}/services/T0/B0/secret`) });
    await send(sink, page);
    await send(sink, over);
    expect(posts[0]?.path).toBe('/services/T0/B0/secret');
    expect(body(0)['text']).toBe('*PAGE* m1: zone &lt;!channel&gt; &amp; co is gone');
    expect(posts[0]?.body).toContain('*command*: `meshward peers --state down`');
    expect(posts[0]?.body).not.toContain('<!channel>"');
    expect(body(1)['text']).toContain('*Over*');
  });

  it('say who speaks by a name and a password from a file, which may change between notices', async () => {
    const passwordFile = await file('password', 'first\n');
    const urls = [url()];
    const sink = sinkOf({ kind: 'alertmanager', urls, username: 'meshward', passwordFile });
    await send(sink, page);
    await file('password', 'sécond');
    await send(sink, page);
    const said = posts.map(({ headers }) =>
      Buffer.from(String(headers['authorization']).replace('Basic ', ''), 'base64').toString(),
    );
    expect(said).toEqual(['meshward:first', 'meshward:sécond']);
    const without = sinkOf({ kind: 'alertmanager', urls, username: 'meshward', passwordFile: '/nonexistent/password' });
    await expect(send(without, page)).rejects.toThrow('the file /nonexistent/password of this sink cannot be read');
  });

  it('post the whole notice to a plain webhook, with a key to tell repetitions by', async () => {
    const sink = sinkOf({
      kind: 'webhook',
      urlFile: await file('url', `${url()}/hook`),
      tokenFile: await file('token', 't0ken'),
    });
    await send(sink, page);
    await send(sink, over);
    expect(posts[0]?.headers).toMatchObject({
      authorization: 'Bearer t0ken',
      'idempotency-key': 'meshward/m1/domain-lost:zone eu-1/one/firing/page',
      'content-type': 'application/json',
    });
    expect(body(0)).toEqual({
      version: 1,
      dedupKey: 'meshward/m1/domain-lost:zone eu-1',
      alertId: 'one',
      alert: 'MeshwardDomainLost',
      state: 'firing',
      severity: 'page',
      mesh: 'm1',
      labels: { zone: 'eu-1' },
      summary,
      why: '',
      files: 12,
      bytes: 4096,
      meaning: 'Four fifths of the peers of a failure domain are silent.',
      timeLeft: expect.stringContaining('5 min') as string,
      repair: expect.stringContaining('20 min') as string,
      next: 'Look at it.',
      command: 'meshward peers --state down',
      runbookUrl: 'http://mesh.example/runbooks/MeshwardDomainLost.md',
      dashboardUrl: 'http://grafana.example/d/mesh',
      sourceUrl: 'http://mesh.example/v1/alerts/one',
      startedAt: '1970-01-01T00:16:40.000Z',
      endedAt: null,
    });
    expect(body(1)).toMatchObject({ state: 'resolved', endedAt: '1970-01-01T00:25:00.000Z' });
  });

  it('call a heartbeat URL with nothing, for the watchdog only', async () => {
    const sink = sinkOf({ kind: 'heartbeat', urlFile: await file('url', `${url()}/beat`) });
    const watchdog = watchdogNotice(context, 1);
    expect([sink.takes(watchdog), sink.takes(page)]).toEqual([true, false]);
    await send(sink, watchdog);
    expect(posts).toMatchObject([{ path: '/beat', body: '' }]);
  });

  it('take what their configuration says: by severity, by selector, and never about themselves', async () => {
    const urlFile = await file('url', url());
    const some = sinkOf({ kind: 'webhook', urlFile, severities: ['page'], only: 'zone=us-*' });
    expect(some.takes(page)).toBe(false);
    expect(some.takes({ ...page, alertKey: 'domain-lost:zone us-2' })).toBe(true);
    expect(some.takes({ ...page, alertKey: 'domain-lost:zone us-2', severity: 'warning' })).toBe(false);
    const every = sinkOf({ kind: 'webhook', urlFile });
    expect(every.takes({ ...page, cause: { sink: 'it' } })).toBe(false);
    expect(every.takes({ ...page, cause: { sink: 'other' } })).toBe(true);
    expect(() => sinkOf({ kind: 'webhook', urlFile, only: 'zone==' })).toThrow('alerts.sinks it: the selector');
    const twice = { sinks: [1, 2].map(() => ({ kind: 'slack', name: 'x', urlFile })) };
    expect(() => createSinks(configSchema.shape.alerts.parse(twice))).toThrow('two sinks x');
  });

  it('say what was wrong, and never where or with which secret', async () => {
    const secret = `${url()}/services/hush`;
    const sink = sinkOf({ kind: 'slack', urlFile: await file('url', secret) });
    const failure = async (): Promise<SinkError> =>
      (await send(sink, page).catch((error: unknown) => error)) as SinkError;
    answer = { status: 429, headers: { 'retry-after': '7' }, body: `slow down ${secret}` };
    expect(await failure()).toMatchObject({ scope: 'sink', retryAfterMs: 7000 });
    answer = { status: 400, body: 'invalid_payload' };
    expect(await failure()).toMatchObject({
      scope: 'notice',
      message: expect.stringContaining('invalid_payload') as string,
    });
    answer = { status: 302, headers: { location: '/elsewhere' } };
    expect(await failure()).toMatchObject({ scope: 'sink' });
    answer = { status: 429, body: `slow down ${secret}` };
    expect(describeError(await failure())).not.toContain('hush');
    server.closeAllConnections();
    server.close();
    expect(describeError(await failure())).toMatch(/^the sink cannot be reached: \w+$/);
    const nowhere = sinkOf({ kind: 'slack', urlFile: join(directory, 'missing') });
    await expect(send(nowhere, page)).rejects.toThrow('missing of this sink cannot be read (ENOENT)');
    const odd = sinkOf({ kind: 'slack', urlFile: await file('odd', 'hush hush') });
    await expect(send(odd, page)).rejects.toThrow(/does not hold a URL of http or https$/);
  });

  it('read a secret anew with each notice', async () => {
    const routingKeyFile = await file('key', 'old');
    const sink = sinkOf({ kind: 'pagerduty', routingKeyFile, url: url() });
    await send(sink, page);
    await file('key', 'new');
    await send(sink, page);
    expect([body(0)['routing_key'], body(1)['routing_key']]).toEqual(['old', 'new']);
  });
});
