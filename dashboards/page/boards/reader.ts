/** The database as dashboards ask it: by a user who only reads, never more than so much at once, and the same question once for all. */
import type { Clock } from '#mesh/clock.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { connectStore } from '#store/client.ts';

export interface BoardAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
}

export interface BoardReader {
  /** @throws MeshwardError `store-refused` beyond the bounds, `store-unavailable`, `service-busy`. */
  ask(sql: string): Promise<BoardAnswer>;
  close(): Promise<void>;
}

export interface ReaderOptions {
  readonly urls: readonly string[];
  readonly username: string;
  readonly password: string;
  readonly database: string;
  readonly clock: Clock;
}

/** Of one question. What passes them is refused by the server, and said on the panel. */
export const bounds = {
  max_execution_time: 20,
  max_threads: 2,
  max_memory_usage: '1000000000',
  max_rows_to_read: '1000000000',
  max_bytes_to_read: '20000000000',
  max_result_rows: '100000',
  max_result_bytes: '33554432',
} as const;

const atOnce = 3;
const mostWaiting = 300;
const servesMs = 4000;
const mostKept = 100;

export function openReader(options: ReaderOptions): BoardReader {
  const { urls, username, password, database } = options;
  const store = connectStore({ urls, username, password, database });
  const read = async (sql: string): Promise<BoardAnswer> => {
    const chunks: Uint8Array[] = [];
    const settings = { ...bounds, wait_end_of_query: 1 as const, output_format_json_quote_64bit_integers: 0 as const };
    for await (const chunk of store.bytes(sql, 'JSONCompact', { settings })) chunks.push(chunk);
    const { meta, data } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
      meta: BoardAnswer['columns'];
      data: BoardAnswer['rows'];
    };
    return { columns: meta, rows: data };
  };
  const asking = new SharedQuestions(read, options.clock);
  return { ask: (sql) => asking.ask(sql), close: () => store.close() };
}

/** A few questions at a time; an answer serves whoever asks the same for a moment. */
export class SharedQuestions {
  readonly #read: (sql: string) => Promise<BoardAnswer>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #kept = new Map<string, { readonly atMs: number; readonly answer: Promise<BoardAnswer> }>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(read: (sql: string) => Promise<BoardAnswer>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#read = read;
    this.#clock = clock;
  }

  ask(sql: string): Promise<BoardAnswer> {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { atMs }] of this.#kept) {
      if (nowMs - atMs < servesMs && this.#kept.size <= mostKept) break;
      this.#kept.delete(key);
    }
    const known = this.#kept.get(sql);
    if (known !== undefined) return known.answer;
    const answer = this.#inTurn(() => this.#read(sql));
    this.#kept.set(sql, { atMs: nowMs, answer });
    answer.catch(() => this.#kept.delete(sql));
    return answer;
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    if (this.#running >= atOnce) {
      if (this.#waiting.length >= mostWaiting) {
        throw new MeshwardError('service-busy', 'too many panels are asked for at once', {
          next: 'Wait a moment, or close other dashboards.',
          retryable: true,
        });
      }
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    } else this.#running++;
    try {
      return await run();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
