/** A request as any HTTP client may send it, whatever its body. */
import { request } from 'node:https';
import type { ApiError } from '#mesh/api-error.ts';
import type { PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { privateKeyPem } from '#tahoe/identity/peer-key.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export function rawRequest(
  url: string,
  identity: PeerIdentity | null,
  options: {
    readonly method?: string;
    readonly body?: Uint8Array | string;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      {
        method: options.method ?? 'POST',
        rejectUnauthorized: false,
        agent: false,
        headers: { ...options.headers },
        ...(identity === null ? {} : { key: privateKeyPem(identity), cert: identity.certificatePem }),
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString() });
        });
        answer.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(options.body);
  });
}

export function errorOf(answer: RawAnswer): ApiError['error'] {
  return (JSON.parse(answer.text) as ApiError).error;
}
