import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import { MeshwardError } from '#mesh/errors.ts';
import { type Authority, createAuthority } from '#test/kafka/certificates.ts';
import { apiSender } from './api-sender.ts';
import { guardedApp } from './testing/guarded-app.ts';

let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority();
});

/** The serial number of the certificate that a new connection is shown. */
function shownAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.ca }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}

async function served() {
  const { mkdtempSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const folder = mkdtempSync(join(tmpdir(), 'meshward-tls-'));
  const place = { host: '127.0.0.1', tlsCertFile: join(folder, 'cert.pem'), tlsKeyFile: join(folder, 'key.pem') };
  const put = async () => {
    const { cert, key } = await authority.server();
    writeFileSync(place.tlsCertFile, cert);
    writeFileSync(place.tlsKeyFile, key);
  };
  await put();
  const guarded = await guardedApp({ place });
  await guarded.app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = guarded.app.server.address() as AddressInfo;
  return { ...guarded, place, put, port, folder };
}

describe('TLS of the API', () => {
  it('takes a new certificate without a restart, and keeps the old one while only half of the pair is new', async () => {
    const { port, put, place, clock, lines } = await served();
    const first = await shownAt(port);
    const other = await authority.server();
    writeFileSync(place.tlsCertFile, other.cert);
    await clock.advance(1000);
    expect(await shownAt(port)).toBe(first);
    expect(lines.join('\n')).toContain('the one before stays in use');
    writeFileSync(place.tlsKeyFile, other.key);
    await clock.advance(1000);
    const second = await shownAt(port);
    expect(second).not.toBe(first);
    await put();
    await clock.advance(1000);
    expect(await shownAt(port)).not.toBe(second);
  });

  it('is asked by commands with the token of a file and the certificates of another', async () => {
    const { port, tokens, folder, rewrite } = await served();
    const apiCaFile = join(folder, 'ca.pem');
    const apiTokenFile = join(folder, 'token');
    writeFileSync(apiCaFile, authority.ca);
    writeFileSync(apiTokenFile, `${tokens.viewer}\n`);
    const url = new URL(`https://127.0.0.1:${port}/v1/read/x`);
    const send = apiSender({ apiTokenFile, apiCaFile, allowPlainHttp: false });
    expect((await send(url)).status).toBe(200);
    await expect(apiSender({ apiTokenFile, apiCaFile: '', allowPlainHttp: false })(url)).rejects.toThrow();
    writeFileSync(apiTokenFile, tokens.operator);
    await rewrite((records) => records.filter(({ role }) => role === 'operator'));
    expect((await send(url)).status).toBe(200);
  });

  it('that cannot be had keeps a service from starting', async () => {
    const place = { host: '127.0.0.1', tlsCertFile: '/nowhere/cert.pem', tlsKeyFile: '/nowhere/key.pem' };
    const refused = guardedApp({ place });
    await expect(refused).rejects.toBeInstanceOf(MeshwardError);
    await expect(refused).rejects.toMatchObject({ code: 'config-invalid' });
  });
});

it('a token is never sent where it could be read on the way', async () => {
  const { tokens, folder } = await guardedApp();
  const apiTokenFile = join(folder, 'token');
  writeFileSync(apiTokenFile, tokens.viewer);
  const refused = apiSender({ apiTokenFile, apiCaFile: '', allowPlainHttp: false })(
    new URL('http://mesh.example/v1/mesh'),
  );
  await expect(refused).rejects.toMatchObject({ code: 'config-invalid' });
  await expect(refused).rejects.not.toThrow(tokens.viewer);
});
