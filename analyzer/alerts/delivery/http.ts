/** Sends one document over HTTP as every sink does: bounded in time and size, no redirects, no address in any error. */

import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { MeshwardError } from '#mesh/errors.ts';
import { SinkError } from './sink.ts';

export interface HttpPost {
  /** May be a secret: it is in no error. */
  readonly url: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface HttpSender {
  /** Resolves with the status where it is 2xx. @throws SinkError. */
  post(post: HttpPost): Promise<number>;
  close(): Promise<void>;
}

/** How much of an answer is read: for what the sink has to say of a refusal. */
const maxAnswerBytes = 2000;
const proxyVariables = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'];

/** @param caFile PEM beside the authorities that everybody knows; read with the first post. */
export function createHttpSender(caFile?: string): HttpSender {
  let opening: Promise<Dispatcher> | null = null;
  const open = async (): Promise<Dispatcher> => {
    const ca = caFile === undefined ? undefined : [...rootCertificates, await readSecretFile(caFile)];
    const options = { ...(ca === undefined ? {} : { connect: { ca } }), maxResponseSize: 1024 * 1024 };
    return proxyVariables.some((name) => (process.env[name] ?? '') !== '')
      ? new EnvHttpProxyAgent({ ...options, ...(ca === undefined ? {} : { requestTls: { ca } }) })
      : new Agent(options);
  };
  return {
    async post({ url, body, headers, signal }) {
      opening ??= open();
      let status: number;
      let text: string;
      let retryAfter: string | string[] | undefined;
      try {
        const answer = await request(url, {
          method: 'POST',
          body: body === undefined ? '' : JSON.stringify(body),
          headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
          signal,
          dispatcher: await opening,
        });
        status = answer.statusCode;
        retryAfter = answer.headers['retry-after'];
        text = (await answer.body.text()).slice(0, maxAnswerBytes);
      } catch (error) {
        if (error instanceof MeshwardError) {
          opening = null;
          throw error;
        }
        throw away(error, signal);
      }
      if (status >= 200 && status < 300) return status;
      throw refused(status, text, retryAfter, url);
    },
    async close() {
      const dispatcher = await opening?.catch(() => null);
      await dispatcher?.close();
    },
  };
}

/** How a sink knows who is speaking: by a token, or by a name and a password. Read anew with each notice, so that both may change. */
export interface Login {
  readonly tokenFile?: string | undefined;
  readonly username?: string | undefined;
  readonly passwordFile?: string | undefined;
}

/** @throws SinkError naming the file, never the content. */
export async function authorization({
  tokenFile,
  username,
  passwordFile,
}: Login): Promise<Readonly<Record<string, string>>> {
  if (tokenFile !== undefined) return { authorization: `Bearer ${await readSecretFile(tokenFile)}` };
  if (username === undefined || passwordFile === undefined) return {};
  const pair = Buffer.from(`${username}:${await readSecretFile(passwordFile)}`).toString('base64');
  return { authorization: `Basic ${pair}` };
}

/** Trimmed. @throws SinkError naming the file, never the content. */
export async function readSecretFile(path: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SinkError('sink', `the file ${path} of this sink cannot be read (${code ?? 'unknown'})`, {
      next: 'See that the file is there and that this user may read it.',
    });
  }
  if (text !== '') return text;
  throw new SinkError('sink', `the file ${path} of this sink is empty`, {
    next: 'Put into it what the sink asks for.',
  });
}

/** @throws SinkError naming the file, never the address. */
export async function readUrlFile(path: string): Promise<string> {
  const text = await readSecretFile(path);
  const url = URL.parse(text);
  if (url !== null && ['http:', 'https:'].includes(url.protocol)) return text;
  throw new SinkError('sink', `the file ${path} of this sink does not hold a URL of http or https`, {
    next: 'Put the whole URL into it, and nothing else.',
  });
}

function away(error: unknown, signal: AbortSignal): SinkError {
  const cause = signal.aborted ? 'no answer in time' : plainCause(error);
  return new SinkError('sink', `the sink cannot be reached: ${cause}`, {
    next: 'See that it runs, and that this machine may reach it; the alert is sent again until it is taken.',
  });
}

/** Codes of the system are plain; messages may name addresses. */
function plainCause(error: unknown): string {
  const { code } = error as { readonly code?: string };
  return code ?? (error instanceof Error ? error.name : 'unknown');
}

function refused(status: number, text: string, retryAfter: string | string[] | undefined, url: string): SinkError {
  // What the sink says may repeat what it was sent.
  const said = text.replaceAll(url, '(address)').replaceAll(/\s+/g, ' ').trim().slice(0, 200);
  const seconds = Number(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter);
  const isOfNotice = status === 400 || status === 413 || status === 422;
  return new SinkError(
    isOfNotice ? 'notice' : 'sink',
    `the sink answered with status ${status}${said === '' ? '' : `: ${said}`}`,
    {
      next: [401, 403, 404].includes(status)
        ? 'Check the address, token or key in the files of this sink.'
        : 'The alert is sent again until it is taken; where this stays, look into the log of the sink.',
      ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1000 } : {}),
    },
  );
}
