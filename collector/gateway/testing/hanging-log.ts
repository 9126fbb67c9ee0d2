/** A log that stops answering appends to some topics, as a broker does that is stopped or drowned, and may go on later. */
import type { InMemoryLog } from '#log/in-memory.ts';
import type { GatewayLog } from '../service.ts';

export interface HangingLog extends GatewayLog {
  hang(...topics: readonly string[]): void;
  goOn(): void;
  /** Appends that wait, and the bytes of their values. */
  readonly waiting: { readonly appends: number; readonly bytes: number };
  readonly mostWaiting: { readonly appends: number; readonly bytes: number };
  /** Resolves when so many wait. */
  untilWaiting(appends: number): Promise<void>;
}

export function hangingLog(log: InMemoryLog): HangingLog {
  let hanging: ReadonlySet<string> = new Set();
  let answered = Promise.withResolvers<void>();
  const waiting = { appends: 0, bytes: 0 };
  const mostWaiting = { appends: 0, bytes: 0 };
  let watchers: { readonly appends: number; readonly reached: () => void }[] = [];
  return {
    bounds: (topic) => log.bounds(topic),
    follow: (topics, from, onRecords) => log.follow(topics, from, onRecords),
    async append(topic, records) {
      if (hanging.has(topic)) {
        const bytes = records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
        waiting.appends++;
        waiting.bytes += bytes;
        mostWaiting.appends = Math.max(mostWaiting.appends, waiting.appends);
        mostWaiting.bytes = Math.max(mostWaiting.bytes, waiting.bytes);
        for (const { appends, reached } of watchers) if (waiting.appends >= appends) reached();
        await answered.promise;
        waiting.appends--;
        waiting.bytes -= bytes;
      }
      return log.append(topic, records);
    },
    hang(...topics) {
      hanging = new Set(topics);
      answered = Promise.withResolvers();
    },
    goOn() {
      hanging = new Set();
      answered.resolve();
    },
    waiting,
    mostWaiting,
    untilWaiting: (appends) =>
      new Promise((reached) => {
        if (waiting.appends >= appends) reached();
        else watchers = [...watchers, { appends, reached }];
      }),
  };
}
