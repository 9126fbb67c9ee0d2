import { get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { bearer, type GuardedApp, guardedApp } from './testing/guarded-app.ts';

const asking = async ({ app }: GuardedApp, url: string, headers: Record<string, string> = {}, method = 'GET') => {
  const { statusCode, body, headers: said } = await app.inject({ method: method as 'GET', url, headers });
  return { status: statusCode, body, headers: said };
};
const denials = async (guarded: GuardedApp) => {
  const { body } = await asking(guarded, '/v1/access/denials', bearer(guarded.tokens.approver));
  return (JSON.parse(body) as { denials: { reason: string; caller: string | null; route: string }[] }).denials;
};

describe('roles', () => {
  it('let each do what is theirs and what is below it, and no more', async () => {
    const guarded = await guardedApp();
    const { tokens } = guarded;
    const may = async (token: string) => [
      (await asking(guarded, '/v1/read/x', bearer(token))).status,
      (await asking(guarded, '/v1/plan', bearer(token), 'POST')).status,
      (await asking(guarded, '/v1/access/denials', bearer(token))).status,
    ];
    expect(await may(tokens.viewer)).toEqual([200, 403, 403]);
    expect(await may(tokens.operator)).toEqual([200, 200, 403]);
    expect(await may(tokens.approver)).toEqual([200, 200, 200]);
  });

  it('let everybody see that a service lives, and nobody else see what is there', async () => {
    const guarded = await guardedApp();
    expect((await asking(guarded, '/livez')).status).toBe(200);
    for (const url of ['/v1/read/x', '/', '/nothing/here', '/v1/plan']) {
      const { status, body, headers } = await asking(guarded, url);
      expect(status, url).toBe(401);
      expect(headers['www-authenticate']).toContain('Bearer');
      expect(JSON.parse(body)).toMatchObject({ error: { code: 'access-unknown' } });
    }
  });
});

describe('tokens', () => {
  it('that are revoked end within a second, without a restart', async () => {
    const guarded = await guardedApp();
    const { viewer } = guarded.tokens;
    expect((await asking(guarded, '/v1/read/x', bearer(viewer))).status).toBe(200);
    await guarded.rewrite((records) => records.map((record) => ({ ...record, revokedAtMs: 1 })));
    const { status, body } = await asking(guarded, '/v1/read/x', bearer(viewer));
    expect([status, JSON.parse(body)]).toMatchObject([401, { error: { message: 'the access token was revoked' } }]);
  });

  it('end when their time is over', async () => {
    const guarded = await guardedApp();
    const expiresAtMs = guarded.clock.nowMs() + 3000;
    await guarded.rewrite((records) => records.map((record) => ({ ...record, expiresAtMs })));
    expect((await asking(guarded, '/v1/read/x', bearer(guarded.tokens.viewer))).status).toBe(200);
    await guarded.clock.advance(2000);
    expect((await asking(guarded, '/v1/read/x', bearer(guarded.tokens.viewer))).status).toBe(401);
  });

  it('stay in force while their file is half written, and the fault is said once', async () => {
    const guarded = await guardedApp();
    const { writeFileSync } = await import('node:fs');
    writeFileSync(guarded.tokensFile, '{"tokens": [');
    await guarded.clock.advance(5000);
    expect((await asking(guarded, '/v1/read/x', bearer(guarded.tokens.viewer))).status).toBe(200);
    expect(guarded.lines.filter((line) => line.includes('cannot be read again'))).toHaveLength(1);
    await guarded.rewrite(() => []);
    expect((await asking(guarded, '/v1/read/x', bearer(guarded.tokens.viewer))).status).toBe(401);
  });

  it('that are revoked end the streams that they opened', async () => {
    const guarded = await guardedApp({
      addRoutes: (app) => {
        app.get('/v1/stream', (_request, reply) => {
          reply.hijack();
          reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
          reply.raw.write('event: state\n\n');
        });
      },
    });
    await guarded.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = guarded.app.server.address() as AddressInfo;
    const ended = new Promise<string>((resolve, reject) => {
      const request = get({ port, path: '/v1/stream', headers: bearer(guarded.tokens.viewer) }, (answer) => {
        answer.once('data', () => {
          void guarded.rewrite(() => []).then(() => guarded.clock.advance(1000));
        });
        answer.once('error', (error) => resolve(error.message));
        answer.once('end', () => resolve('end'));
      });
      request.once('error', reject);
    });
    expect(await ended).toBe('aborted');
    expect(guarded.lines.join('\n')).toContain('"route":"/v1/stream","reason":"unknown-token","caller":"wanda"');
  });
});

describe('denials', () => {
  it('are kept with who and what, newest first, and with nothing that was shown or written into the address', async () => {
    const guarded = await guardedApp();
    const secret = guarded.tokens.viewer.replace(/.$/, (letter) => (letter === 'A' ? 'B' : 'A'));
    await asking(guarded, '/v1/read/hidden?token=hidden2', bearer(secret));
    await asking(guarded, '/v1/plan', bearer(guarded.tokens.viewer), 'POST');
    await asking(guarded, '/v1/read/x', { authorization: 'Basic aGlkZGVuMw==' });
    const kept = await denials(guarded);
    expect(kept).toMatchObject([
      { reason: 'malformed-token', route: '/v1/read/:name', caller: null },
      { reason: 'role', route: '/v1/plan', caller: 'wanda' },
      { reason: 'unknown-token', route: '/v1/read/:name', caller: null },
    ]);
    const told = JSON.stringify(kept) + guarded.lines.join('\n');
    for (const hidden of ['hidden', secret.slice(-43), 'aGlkZGVuMw', guarded.tokens.viewer.slice(-43)])
      expect(told).not.toContain(hidden);
    expect(guarded.lines.filter((line) => line.startsWith('access was denied'))).toHaveLength(3);
  });

  it('are bounded: a flood is slowed, and neither fills memory nor the log', async () => {
    const guarded = await guardedApp();
    const statuses = new Map<number, number>();
    for (let i = 0; i < 1200; i++) {
      const { status } = await asking(guarded, '/v1/read/x');
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    expect(statuses).toEqual(
      new Map([
        [401, 60],
        [429, 1140],
      ]),
    );
    const { body } = await asking(guarded, '/v1/access/denials?limit=1000', bearer(guarded.tokens.approver));
    expect((JSON.parse(body) as { denials: unknown[] }).denials).toHaveLength(1000);
    expect(guarded.lines.filter((line) => line.startsWith('access was denied')).length).toBeLessThanOrEqual(110);
    expect((await asking(guarded, '/v1/read/x', bearer(guarded.tokens.viewer))).status).toBe(200);
  });
});

describe('rates', () => {
  it('are of each caller: one that asks too often is told when to come again, and others are let in', async () => {
    const guarded = await guardedApp({ access: { requestsPerMinute: 5 } });
    for (let i = 0; i < 5; i++)
      expect((await asking(guarded, '/v1/read/x', bearer(guarded.tokens.viewer))).status).toBe(200);
    const { status, headers, body } = await asking(guarded, '/v1/read/x', bearer(guarded.tokens.viewer));
    expect([status, JSON.parse(body)]).toMatchObject([429, { error: { code: 'access-limited', retryable: true } }]);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect((await asking(guarded, '/v1/read/x', bearer(guarded.tokens.operator))).status).toBe(200);
  });
});

describe('a proxy that logs people in', () => {
  const person = { 'x-forwarded-user': 'ada', 'x-forwarded-groups': 'staff, sre' };
  const proxyRoles = [
    { group: 'staff', role: 'viewer' as const },
    { group: 'sre', role: 'approver' as const },
  ];

  it('is believed by the address that its connection comes from', async () => {
    const guarded = await guardedApp({ access: { trustedProxies: ['127.0.0.0/8'], proxyRoles } });
    expect((await asking(guarded, '/v1/plan', person, 'POST')).status).toBe(200);
    expect((await asking(guarded, '/v1/access/denials', person)).status).toBe(200);
    const staff = { ...person, 'x-forwarded-groups': 'staff' };
    expect((await asking(guarded, '/v1/plan', staff, 'POST')).status).toBe(403);
    const stranger = { ...person, 'x-forwarded-groups': 'guests' };
    expect((await asking(guarded, '/v1/read/x', stranger)).status).toBe(401);
    expect(await denials(guarded)).toMatchObject([
      { reason: 'no-group', caller: 'ada' },
      { reason: 'role', caller: 'ada' },
    ]);
  });

  it('is not believed from elsewhere, whatever its headers say', async () => {
    const guarded = await guardedApp({ access: { trustedProxies: ['10.0.0.1', '::1'], proxyRoles } });
    const forged = { ...person, 'x-forwarded-for': '10.0.0.1', forwarded: 'for=10.0.0.1', 'x-real-ip': '10.0.0.1' };
    expect((await asking(guarded, '/v1/read/x', forged)).status).toBe(401);
    expect(await denials(guarded)).toMatchObject([{ reason: 'no-credential' }]);
  });
});
