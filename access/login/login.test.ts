import { describe, expect, it } from 'vitest';
import { type GuardedApp, guardedApp } from '../testing/guarded-app.ts';

const html = { accept: 'text/html,*/*' };
const logIn = async ({ app }: GuardedApp, token: string, from = '/') => {
  const payload = new URLSearchParams({ token, from }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return app.inject({ method: 'POST', url: '/login', payload, headers });
};
const cookieOf = (answer: { headers: Record<string, unknown> }): string =>
  String(answer.headers['set-cookie']).split(';')[0] as string;

describe('the login of the page', () => {
  it('is where a browser without one is sent, and leads back', async () => {
    const guarded = await guardedApp();
    const sent = await guarded.app.inject({ method: 'GET', url: '/v1/read/x?y=1', headers: html });
    expect([sent.statusCode, sent.headers.location]).toEqual([303, '/login?from=%2Fv1%2Fread%2Fx']);
    const form = await guarded.app.inject({ method: 'GET', url: '/login?from=%2Fv1%2Fread%2Fx' });
    expect(form.statusCode).toBe(200);
    expect(form.body).toContain('value="/v1/read/x"');
    expect(form.headers['content-security-policy']).toContain("form-action 'self'");
    const back = await logIn(guarded, guarded.tokens.viewer, '/v1/read/x');
    expect([back.statusCode, back.headers.location]).toEqual([303, '/v1/read/x']);
  });

  it('leads nowhere else, whatever the address says', async () => {
    const guarded = await guardedApp();
    for (const from of ['//evil.example', 'https://evil.example', '/\\evil.example', 'javascript:1', '"><script>']) {
      expect((await logIn(guarded, guarded.tokens.viewer, from)).headers.location, from).toBe('/');
    }
    const form = await guarded.app.inject({ method: 'GET', url: '/login?from=/%22%3E%3Cscript%3E' });
    expect(form.body).not.toContain('<script');
  });

  it('gives a cookie that scripts cannot read, other sites do not send, and that is not the token', async () => {
    const guarded = await guardedApp();
    const answer = await logIn(guarded, guarded.tokens.operator);
    const set = String(answer.headers['set-cookie']);
    for (const word of ['HttpOnly', 'SameSite=Lax', 'Path=/', 'Max-Age=43200']) expect(set).toContain(word);
    expect(set).not.toContain(guarded.tokens.operator.slice(-43));
    const cookie = cookieOf(answer);
    const page = await guarded.app.inject({ method: 'GET', url: '/', headers: { cookie } });
    expect(page.body).toBe('page');
    const caller = await guarded.app.inject({ method: 'GET', url: '/v1/access/caller', headers: { cookie } });
    expect(caller.json()).toMatchObject({ name: 'olga', role: 'operator', by: 'session' });
  });

  it('goes over TLS alone beyond loopback', async () => {
    const place = { host: '10.0.0.1', tlsCertFile: '', tlsKeyFile: '' };
    const guarded = await guardedApp({ place });
    expect(String((await logIn(guarded, guarded.tokens.viewer)).headers['set-cookie'])).toContain('Secure');
  });

  it('ends after its time, with its token, and not by the clock of the browser', async () => {
    const guarded = await guardedApp({ access: { sessionMs: 3_600_000 } });
    const cookie = cookieOf(await logIn(guarded, guarded.tokens.viewer));
    const other = cookieOf(await logIn(guarded, guarded.tokens.operator));
    const status = async (shown: string) =>
      (await guarded.app.inject({ method: 'GET', url: '/', headers: { cookie: shown } })).statusCode;
    expect(await status(cookie)).toBe(200);
    await guarded.rewrite((records) =>
      records.map((record) => (record.role === 'viewer' ? { ...record, revokedAtMs: 1 } : record)),
    );
    expect([await status(cookie), await status(other)]).toEqual([401, 200]);
    await guarded.clock.advance(3_600_000);
    expect(await status(other)).toBe(401);
  });

  it('takes no cookie that was changed or made elsewhere', async () => {
    const guarded = await guardedApp();
    const elsewhere = await guardedApp();
    const cookie = cookieOf(await logIn(guarded, guarded.tokens.viewer));
    const [name = '', value = ''] = cookie.split('=');
    const later = value.replace(/\.\d+\./, '.9999999999999.');
    for (const forged of [later, value.slice(0, -2), 'x', cookieOf(await logIn(elsewhere, elsewhere.tokens.viewer))]) {
      const headers = { cookie: `${name}=${forged}` };
      expect((await guarded.app.inject({ method: 'GET', url: '/', headers })).statusCode, forged).toBe(401);
    }
  });

  it('does not act for other sites', async () => {
    const guarded = await guardedApp();
    const cookie = cookieOf(await logIn(guarded, guarded.tokens.operator));
    const plan = async (origin: string) =>
      (await guarded.app.inject({ method: 'POST', url: '/v1/plan', headers: { cookie, origin, host: 'mesh.example' } }))
        .statusCode;
    expect(await plan('https://mesh.example')).toBe(200);
    expect(await plan('https://evil.example')).toBe(401);
    expect(await plan('null')).toBe(401);
  });

  it('slows who tries many tokens, and tells nobody more than that they are not known', async () => {
    const guarded = await guardedApp();
    const statuses: number[] = [];
    for (let i = 0; i < 25; i++)
      statuses.push((await logIn(guarded, `mwa_${'0'.repeat(16)}_${'A'.repeat(43)}`)).statusCode);
    expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
    expect(statuses.slice(20)).toEqual(Array.from({ length: 5 }, () => 429));
    expect(guarded.lines.join('\n')).toContain('"route":"/login","reason":"unknown-token"');
  });
});
