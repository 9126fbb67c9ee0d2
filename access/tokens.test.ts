import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '#mesh/clock.ts';
import { changeTokenFile, readTokenFile } from './token-file.ts';
import { checkToken, createToken, type NewToken } from './tokens.ts';

const lifeMs = 1000;
const made = (name = 'ada'): NewToken => createToken({ name, role: 'viewer', createdAtMs: 0, expiresAtMs: lifeMs });
const known = ({ record }: NewToken) => new Map([[record.id, record]]);

describe('an access token', () => {
  it('is good with its own secret and with no other', () => {
    const one = made();
    const other = made();
    expect(checkToken(one.token, known(one), 0)).toEqual({ kind: 'good', record: one.record });
    expect(checkToken(other.token, known(one), 0).kind).toBe('unknown-token');
    const mixed = one.token.slice(0, -43) + other.token.slice(-43);
    expect(checkToken(mixed, known(one), 0).kind).toBe('unknown-token');
    for (const wrong of ['', 'mwa_', one.token.slice(0, -1), `${one.token}x`, ` ${one.token}`])
      expect(checkToken(wrong, known(one), 0).kind).toBe('malformed-token');
  });

  it('ends when its time is over, and when it is revoked', () => {
    const one = made();
    expect(checkToken(one.token, known(one), lifeMs - 1).kind).toBe('good');
    expect(checkToken(one.token, known(one), lifeMs).kind).toBe('expired-token');
    const revoked = new Map([[one.record.id, { ...one.record, revokedAtMs: 1 }]]);
    expect(checkToken(one.token, revoked, 0).kind).toBe('revoked-token');
  });

  it('is not kept: what is kept does not hold its secret', () => {
    const one = made();
    const secret = one.token.slice(-43);
    expect(JSON.stringify(one.record)).not.toContain(secret);
    expect(JSON.stringify(one.record)).not.toContain(Buffer.from(secret, 'base64url').toString('hex'));
  });
});

describe('the file of access tokens', () => {
  const newPath = (): string => join(mkdtempSync(join(tmpdir(), 'meshward-tokens-')), 'access', 'tokens.json');

  it('is made for its owner alone, and keeps every one of many changes at once', async () => {
    const path = newPath();
    const nowMs = systemClock.nowMs();
    const records = Array.from({ length: 20 }, (_, i) => ({ ...made(`n${i}`).record, expiresAtMs: nowMs + 1e9 }));
    await Promise.all(records.map((record) => changeTokenFile(path, systemClock, (tokens) => [...tokens, record])));
    const names = (await readTokenFile(path)).map(({ name }) => name).sort();
    expect(names).toEqual(records.map(({ name }) => name).sort());
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is left as it is by a change that fails', async () => {
    const path = newPath();
    const kept = { ...made().record, expiresAtMs: systemClock.nowMs() + 1e9 };
    await changeTokenFile(path, systemClock, () => [kept]);
    const before = readFileSync(path, 'utf8');
    const failing = changeTokenFile(path, systemClock, () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(readFileSync(path, 'utf8')).toBe(before);
    await changeTokenFile(path, systemClock, (tokens) => tokens);
  });

  it('that is none is refused, and nothing of it is repeated', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'meshward-tokens-')), 'tokens.json');
    const { token } = made();
    writeFileSync(path, token);
    const refused = readTokenFile(path);
    await expect(refused).rejects.toMatchObject({ code: 'config-invalid' });
    await expect(refused).rejects.not.toThrow(token);
  });
});
