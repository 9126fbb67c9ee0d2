/** What the requests of GBS say in their headers. */
import type { IncomingMessage } from 'node:http';
import type { LeaseSecrets } from '../identity/lease-secrets.ts';
import { fenceHeader, parseSecrets, type SecretName, type Secrets, secretsHeader } from './authorization.ts';
import { type Fence, parseFence } from './fence.ts';
import { Refusal } from './http-exchange.ts';

/** Undefined where no range is asked for. */
export function closedRange(request: IncomingMessage): { readonly begin: number; readonly end: number } | undefined {
  const text = request.headers.range;
  if (text === undefined) return undefined;
  const range = /^bytes=(\d{1,16})-(\d{1,16})$/.exec(text.replaceAll(' ', ''));
  if (range === null || Number(range[2]) < Number(range[1])) throw new Refusal(416, 'give one closed range of bytes');
  return { begin: Number(range[1]), end: Number(range[2]) + 1 };
}

export function secretsOf(request: IncomingMessage, required: readonly SecretName[]): Secrets {
  const secrets = parseSecrets(request.headersDistinct[secretsHeader.toLowerCase()] ?? [], required);
  if (secrets === null) throw new Refusal(400, `give exactly these secrets: ${required.join(', ') || 'none'}`);
  return secrets;
}

export function leaseSecretsOf(secrets: Secrets): LeaseSecrets {
  return {
    renewSecret: secrets['lease-renew-secret'] as Uint8Array,
    cancelSecret: secrets['lease-cancel-secret'] as Uint8Array,
  };
}

/** Undefined where nothing is fenced. */
export function fenceIn(request: IncomingMessage): Fence | undefined {
  const text = request.headers[fenceHeader.toLowerCase()];
  if (text === undefined) return undefined;
  const fence = parseFence(String(text));
  if (fence === null) throw new Refusal(400, 'the fence is not scope:generation');
  return fence;
}

/** Length of a body that is to be held in memory. */
export function bodyBytes(request: IncomingMessage, mostBytes: number): number {
  const sizeBytes = Number(request.headers['content-length'] ?? Number.NaN);
  if (!(sizeBytes >= 1)) throw new Refusal(411, 'say how long the body is');
  if (sizeBytes > mostBytes) throw new Refusal(413, 'longer than is taken in one exchange');
  return sizeBytes;
}
