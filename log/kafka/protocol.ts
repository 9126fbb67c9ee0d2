/**
 * Connections to brokers. This is the one place that uses the insides of kafkajs: it makes a connection (TCP or TLS), logs
 * in on it, frames requests and encodes and decodes most of them. What kafkajs builds upon that (cluster, producer,
 * consumer) is not used, and why is in docs/decisions/kafka-protocol-layer.md. A test holds the version.
 */
import { createRequire } from 'node:module';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { BrokerFault, ConnectionFault } from './faults.ts';
import './kafkajs-timers.ts';
import type { KafkaSasl, KafkaTls } from './options.ts';
import type { Requests, Responses } from './requests.ts';
import { fetchProtocol, produceProtocol } from './wire-batches.ts';
import { alterTopicProtocol } from './wire-configs.ts';

export interface ConnectionSettings {
  readonly clientId: string;
  readonly tls: KafkaTls | undefined;
  readonly sasl: KafkaSasl | undefined;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

interface Protocol {
  readonly request: { readonly apiName: string };
  readonly response: { readonly decode: (raw: Buffer) => Promise<unknown>; readonly parse: unknown };
}

interface KafkajsConnection {
  connect(): Promise<unknown>;
  authenticate(): Promise<void>;
  disconnect(): Promise<unknown>;
  isConnected(): boolean;
  setVersions(versions: Versions): void;
  setSupportAuthenticationProtocol(isSupported: boolean): void;
  send(protocol: object): Promise<unknown>;
  rejectRequests(error: Error): void;
}

type Versions = Record<number, { minVersion: number; maxVersion: number }>;
type Definition = { protocol: (which: { version: number }) => (options?: object) => Protocol };

const load = createRequire(import.meta.url);
const Connection = load('kafkajs/src/network/connection.js') as new (options: object) => KafkajsConnection;
const apiKeys = load('kafkajs/src/protocol/requests/apiKeys.js') as Record<string, number>;
const { requests, lookup } = load('kafkajs/src/protocol/requests/index.js') as {
  requests: Record<string, Definition>;
  lookup: (versions: Versions) => (apiKey: number, definition: Definition) => (options: object) => Protocol;
};
const keepAliveMs = 30_000;
const nothing = (): void => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing, namespace: (): object => silent };

/** One connection, one request at a time: brokers do no more on a connection, and answers cannot be mixed up. */
export class BrokerConnection {
  readonly broker: string;
  readonly #settings: ConnectionSettings;
  readonly #connection: KafkajsConnection;
  readonly #lost: () => void;
  #socket: Socket | null = null;
  #versions: Versions = {};
  #tail: Promise<unknown> = Promise.resolve();
  #failure: ConnectionFault | null = null;
  /** Fails what is under way. */
  #abort: (fault: Error) => void = nothing;

  /** @param lost called once, when it has ended, however it does. */
  constructor(host: string, port: number, settings: ConnectionSettings, lost: () => void) {
    this.broker = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
    this.#settings = settings;
    this.#lost = lost;
    this.#connection = new Connection({
      host,
      port,
      logger: silent,
      clientId: settings.clientId,
      ssl: settings.tls === undefined ? null : {},
      sasl: settings.sasl === undefined ? null : { ...settings.sasl },
      connectionTimeout: settings.connectTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      // Timeouts are ours: theirs leave the connection in use with the answer still to come.
      enforceRequestTimeout: false,
      socketFactory: (place: { host: string; port: number; onConnect: () => void }) => this.#makeSocket(place),
    });
  }

  /** Resolves when requests can be made. Called once, first. @throws ConnectionFault, MeshwardError `log-forbidden`. */
  open(): Promise<void> {
    return this.#inTime(this.#open(), this.#settings.connectTimeoutMs, 'no connection');
  }

  get isOpen(): boolean {
    return this.#failure === null && this.#connection.isConnected();
  }

  /** The decoded answer, errors in it unjudged. @throws ConnectionFault where none comes: then it is unknown whether the request was carried out. */
  async request<A extends keyof Requests>(
    api: A,
    body: Requests[A],
    timeoutMs: number = this.#settings.requestTimeoutMs,
  ): Promise<Responses[A]> {
    return (await this.#send(() => this.#protocol(api, body), timeoutMs)) as Responses[A];
  }

  /** Ends it now; requests under way fail. */
  destroy(why: string): void {
    if (this.#failure !== null) return;
    this.#failure = new ConnectionFault(this.broker, why);
    this.#abort(this.#failure);
    this.#connection.rejectRequests(this.#failure);
    void this.#connection.disconnect().catch(nothing);
    this.#socket?.destroy();
    this.#lost();
  }

  #protocol(api: keyof Requests, body: object): Protocol {
    if (api === 'Produce') return produceProtocol(body as Requests['Produce']);
    if (api === 'Fetch') return fetchProtocol(body as Requests['Fetch']);
    if (api === 'AlterTopic') return alterTopicProtocol(body as Requests['AlterTopic']);
    return lookup(this.#versions)(apiKeys[api] as number, requests[api] as Definition)(body);
  }

  async #open(): Promise<void> {
    const connection = this.#connection;
    await connection.connect();
    const asked = (requests['ApiVersions'] as Definition).protocol({ version: 2 })();
    const { errorCode, apiVersions } = (await connection.send(unjudged(asked))) as {
      errorCode: number;
      apiVersions: readonly { apiKey: number; minVersion: number; maxVersion: number }[];
    };
    if (errorCode !== 0) throw new BrokerFault(errorCode, `asking ${this.broker} what it can do`);
    this.#versions = Object.fromEntries(apiVersions.map(({ apiKey, ...range }) => [apiKey, range]));
    connection.setVersions(this.#versions);
    connection.setSupportAuthenticationProtocol(true);
    await connection.authenticate();
  }

  async #send(make: () => Protocol, timeoutMs: number): Promise<unknown> {
    const before = this.#tail;
    const done = Promise.withResolvers<void>();
    this.#tail = done.promise;
    try {
      await before;
      if (this.#failure !== null) throw this.#failure;
      return await this.#inTime(this.#connection.send(unjudged(make())), timeoutMs, 'no answer');
    } finally {
      done.resolve();
    }
  }

  async #inTime<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
    const callOff = this.#settings.clock.after(timeoutMs, () => this.destroy(`${what} in ${timeoutMs} ms`));
    const ended = Promise.withResolvers<never>();
    this.#abort = ended.reject;
    try {
      return await Promise.race([work, ended.promise]);
    } catch (error) {
      throw this.#judged(error);
    } finally {
      callOff();
      this.#abort = nothing;
      work.catch(nothing);
    }
  }

  /** After anything but an answer, nobody knows what comes next on the connection: it ends. */
  #judged(error: unknown): Error {
    if (error instanceof BrokerFault) return error;
    if (error instanceof MeshwardError) {
      this.destroy(error.message);
      return error;
    }
    const fault = this.#failure ?? faultOf(this.broker, error);
    this.destroy('given up after an error');
    return fault;
  }

  #makeSocket({ host, port, onConnect }: { host: string; port: number; onConnect: () => void }): Socket {
    const { tls } = this.#settings;
    const socket =
      tls === undefined
        ? connectTcp({ host, port }, onConnect)
        : connectTls(
            {
              host,
              port,
              ...(tls.ca === undefined ? {} : { ca: tls.ca }),
              ...(tls.cert === undefined ? {} : { cert: tls.cert, key: tls.key }),
              ...(tls.servername === undefined
                ? isIP(host)
                  ? {}
                  : { servername: host }
                : { servername: tls.servername }),
            },
            onConnect,
          );
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    socket.once('close', () => this.destroy('the connection was closed'));
    this.#socket = socket;
    return socket;
  }
}

/** The answer as it was decoded: kafkajs would throw at its first error, and with it the outcome of every other partition. */
function unjudged(protocol: Protocol): Protocol {
  const { response } = protocol;
  return {
    ...protocol,
    response: { decode: (raw) => response.decode(raw), parse: (decoded: unknown) => Promise.resolve(decoded) },
  };
}

function faultOf(broker: string, error: unknown): Error {
  const { name, message, code, type } = error as { name?: string; message?: string; code?: string; type?: string };
  if (name === 'KafkaJSSASLAuthenticationError' || type === 'SASL_AUTHENTICATION_FAILED') {
    return new MeshwardError('log-forbidden', `${broker} refused the login`, {
      next: 'Look whether mechanism, user name and password are those of a user of Kafka (kafka-configs --describe --entity-type users).',
    });
  }
  if (name === 'KafkaJSServerDoesNotSupportApiKey') {
    return new MeshwardError('log-unavailable', `${broker} is too old: ${message}`, {
      next: 'Use brokers of Kafka 2.4 or newer.',
    });
  }
  // What a broker says of our certificate comes as an alert of TLS.
  if (code !== undefined && /_ALERT_.*(CERT|CA$)/.test(code)) {
    return new MeshwardError('log-forbidden', `${broker} refused this client's certificate: ${message}`, {
      next: 'Set a certificate and key (cert, key) that is signed by an authority which the brokers trust.',
    });
  }
  if (code !== undefined && /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
    return new MeshwardError('log-forbidden', `the certificate of ${broker} is not trusted: ${message}`, {
      next: "Set the certificates that sign the brokers' (ca), or the name that they carry (servername).",
    });
  }
  return new ConnectionFault(broker, message ?? 'failed', error);
}
