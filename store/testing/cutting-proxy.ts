/** A TCP proxy on loopback that cuts connections at a chosen moment of the next request. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export type Cut =
  /** After so many bytes of what the client sends: the server has a part of the request, and no end of it. */
  | { readonly kind: 'in-request'; readonly afterBytes: number }
  /** When the server begins to answer: it has done what was asked, and the client does not hear of it. */
  | { readonly kind: 'before-answer' };

export class CuttingProxy {
  readonly url: string;
  /** Bytes of requests that went through. */
  forwardedBytes = 0;
  connections = 0;
  cuts = 0;
  /** Every new connection is cut at once, and every old one. */
  #refuses = false;
  #cut: Cut | null = null;
  #sentBytes = 0;
  readonly #carried = new Set<() => void>();
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async start(target: string): Promise<CuttingProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer((client) => proxy.#carry(client, connect(Number(port), hostname)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const own = (server.address() as { port: number }).port;
    const proxy: CuttingProxy = new CuttingProxy(`http://127.0.0.1:${own}`, async () => {
      for (const cut of proxy.#carried) cut();
      await new Promise((resolve) => server.close(resolve));
    });
    return proxy;
  }

  /** The next request that reaches the moment is cut there, once. */
  cutNext(cut: Cut): void {
    this.#cut = cut;
    this.#sentBytes = 0;
  }

  get isArmed(): boolean {
    return this.#cut !== null;
  }

  refuse(): void {
    this.#refuses = true;
    for (const cut of this.#carried) cut();
  }

  accept(): void {
    this.#refuses = false;
  }

  close(): Promise<void> {
    return this.#close();
  }

  #carry(client: Socket, server: Socket): void {
    this.connections += 1;
    let isCut = false;
    /**
     * The client's side is torn down. The server's side ends in order, with what it still says unheard: the listener of the
     * embedded 26.7 ends its whole process where a peer resets a connection that it reads from (mended in later versions).
     */
    const cut = (rest?: Uint8Array): void => {
      if (isCut) return;
      isCut = true;
      this.#carried.delete(cut);
      client.destroy();
      if (rest === undefined) server.end();
      else server.end(rest);
    };
    this.#carried.add(cut);
    client.on('error', () => cut()).on('close', () => cut());
    server.on('error', () => cut()).on('close', () => cut());
    if (this.#refuses) {
      cut();
      return;
    }
    client.on('data', (chunk: Buffer) => {
      if (this.#cut?.kind === 'in-request') {
        const left = this.#cut.afterBytes - this.#sentBytes;
        this.#sentBytes += chunk.length;
        if (chunk.length >= left) {
          this.#cut = null;
          this.cuts += 1;
          cut(chunk.subarray(0, Math.max(0, left)));
          return;
        }
      }
      if (isCut) return;
      this.forwardedBytes += chunk.length;
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      if (this.#cut?.kind === 'before-answer') {
        this.#cut = null;
        this.cuts += 1;
        cut();
        return;
      }
      if (!isCut) client.write(chunk);
    });
  }
}
