/**
 * Stands between analyzers and ClickHouse, so that a kill can fall at a chosen moment: when the store has not taken what was
 * given to it, or when it has and nobody heard so. Only inserts are caught; what is asked goes through.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

export type GateMode =
  | 'open'
  /** Placements wait and are never given to the store; all else goes through. */
  | 'held'
  /** Placements and health are given to the store, and its answers wait and are never told. */
  | 'unanswered'
  /** Every other insert is given to the store, and its connection breaks in place of the answer. */
  | 'broken-answers'
  /** Whoever asks or gives loses the connection. */
  | 'away';

const lookMs = 20;
/** What an offset rests on, and nothing else: a pass that waits for something before would not come so far. */
const caughtTables: Readonly<Record<GateMode, (table: string) => boolean>> = {
  open: () => false,
  held: (table) => table === 'placements',
  unanswered: (table) => table === 'placements' || table === 'file_health',
  'broken-answers': () => true,
  away: () => false,
};

export class StoreGate {
  readonly url: string;
  /** Tables of the inserts that were held or not told since the mode was set. */
  readonly #caught: string[] = [];
  readonly #waiting = new Set<ServerResponse>();
  #mode: GateMode = 'open';
  #inserts = 0;
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async start(target: string): Promise<StoreGate> {
    const server = createServer((incoming, response) => gate.#pass(new URL(target), incoming, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const gate: StoreGate = new StoreGate(`http://127.0.0.1:${port}`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return gate;
  }

  /** Whoever waited before loses the connection. */
  set mode(mode: GateMode) {
    this.#mode = mode;
    this.#caught.length = 0;
    for (const response of this.#waiting) response.destroy();
    this.#waiting.clear();
  }

  /** Resolves when so many inserts into the table were caught, or `patienceMs` is over: where little is written, few come. */
  async caught(table: string, count: number, patienceMs: number): Promise<void> {
    const giveUpAtMs = performance.now() + patienceMs;
    while (this.#caught.filter((each) => each === table).length < count && performance.now() < giveUpAtMs)
      await pause(lookMs);
  }

  close(): Promise<void> {
    return this.#close();
  }

  #pass(target: URL, incoming: IncomingMessage, response: ServerResponse): void {
    const mode = this.#mode;
    if (mode === 'away') return void incoming.socket.destroy();
    const table = insertedTable(incoming.url ?? '');
    const isCaught =
      table !== null && caughtTables[mode](table) && (mode !== 'broken-answers' || this.#inserts++ % 2 === 0);
    incoming.on('error', () => response.destroy());
    response.on('close', () => this.#waiting.delete(response));
    if (isCaught && mode === 'held') {
      this.#caught.push(table);
      this.#waiting.add(response);
      incoming.resume();
      return;
    }
    const outgoing = request({
      host: target.hostname,
      port: target.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    });
    outgoing.on('error', () => response.destroy());
    outgoing.on('response', (answer) => {
      if (!isCaught) {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response).on('error', () => answer.destroy());
        return;
      }
      // The server tells once it is done: the rows are there.
      answer.resume().once('end', () => {
        this.#caught.push(table);
        if (mode === 'unanswered' && this.#mode === mode) this.#waiting.add(response);
        else response.destroy();
      });
    });
    incoming.pipe(outgoing);
  }
}

/** Null for what is no insert. */
function insertedTable(url: string): string | null {
  const query = new URL(url, 'http://store').searchParams.get('query') ?? '';
  return /^INSERT INTO \w+\.(\w+)/.exec(query)?.[1] ?? null;
}
