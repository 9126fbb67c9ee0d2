/** How commands and services ask HTTP APIs: with the token of this configuration, by the certificates that it trusts. */
import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { isLoopback } from '#mesh/loopback.ts';

export interface SentRequest {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** A token does not go where an answer points. */
  readonly redirect?: 'error';
}

/** As `fetch`. */
export type ApiSender = (url: URL, request?: SentRequest) => Promise<Response>;

export const plainSender: ApiSender = (url, request) => fetch(url, { ...request });

export type SenderSettings = Pick<Config['access'], 'apiTokenFile' | 'apiCaFile' | 'allowPlainHttp'>;

export function apiSender({ apiTokenFile, apiCaFile, allowPlainHttp }: SenderSettings): ApiSender {
  if (apiTokenFile === '' && apiCaFile === '') return plainSender;
  let trusting: Promise<ApiSender> | null = null;
  return async (url, request = {}) => {
    // Read at each request: a mounted secret changes while a service runs.
    const token = apiTokenFile === '' ? null : (await read(apiTokenFile, 'access.apiTokenFile')).trim();
    if (token !== null && url.protocol !== 'https:' && !allowPlainHttp && !isLoopback(url.hostname)) {
      throw new MeshwardError('config-invalid', `the token is not sent to ${url.host}: it could be read on the way`, {
        next: 'Give an address of https, or set access.allowPlainHttp where the network keeps others out.',
      });
    }
    const headers = { ...request.headers, ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
    const isTrusting = apiCaFile !== '' && url.protocol === 'https:';
    const send = isTrusting ? await (trusting ??= trustingSender(apiCaFile)) : plainSender;
    return send(url, { ...request, headers, redirect: 'error' });
  };
}

async function trustingSender(path: string): Promise<ApiSender> {
  const ca = [...getCACertificates('default'), await read(path, 'access.apiCaFile')];
  // Loaded when needed: a command must start quickly.
  const { Agent, fetch: send } = await import('undici');
  const dispatcher = new Agent({ connect: { ca } });
  return (url, request) => send(url, { ...request, dispatcher });
}

async function read(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new MeshwardError('config-invalid', `the file that ${key} names cannot be read`, {
      next: 'Check the path and who may read it.',
      cause: error,
    });
  }
}
