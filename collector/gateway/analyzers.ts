/** Analyzers as a collector asks them for its peers: each answers for the files that it owns, and any for the rest where their owner is away. */
import type { ApiSender } from '#access/api-sender.ts';
import { type AnalyzerAskBody, type AskAnswer, type AskedFile, askAnswer } from '#mesh/asking.ts';
import type { Backoff } from '#mesh/backoff.ts';
import type { Clock, Random } from '#mesh/clock.ts';
import { EndpointOrder } from '#mesh/endpoint-order.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { StorageIndex } from '#mesh/storage-index.ts';

/** @throws MeshwardError `service-unavailable` where no analyzer answers. */
export type AskFiles = (indexes: readonly StorageIndex[]) => Promise<AskAnswer>;

export interface AnalyzersOptions {
  readonly urls: readonly string[];
  readonly send: ApiSender;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const answerTimeoutMs = 10_000;
const rests: Backoff = { firstMs: 1000, longestMs: 30_000 };

export function askAnalyzers({ urls, send, clock, random, logger }: AnalyzersOptions): AskFiles {
  const order = new EndpointOrder(urls.length, clock, rests, random);

  const ask = async (index: number, body: AnalyzerAskBody): Promise<readonly AskedFile[] | null> => {
    const url = urls[index] as string;
    try {
      const response = await send(new URL('/v1/files/ask', url), {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json' },
        signal: AbortSignal.timeout(answerTimeoutMs),
      });
      if (!response.ok) throw new Error(`it answered with status ${response.status}`);
      const { files } = askAnswer.parse(await response.json());
      order.answered(index);
      return files;
    } catch (error) {
      order.failed(index);
      logger.warn({ url, error: describeError(error) }, 'an analyzer does not answer what a peer asks');
      return null;
    }
  };

  return async (indexes) => {
    const known = new Map<string, AskedFile>();
    let hasAnswered = false;
    const left = (): StorageIndex[] =>
      indexes.filter((index) => (known.get(index)?.answer ?? 'unanswered') === 'unanswered');
    const rounds: readonly boolean[] = [false, true];
    for (const elsewhere of rounds) {
      for (const endpoint of order.rested()) {
        const storageIndexes = left();
        if (storageIndexes.length === 0) break;
        const files = await ask(endpoint, { storageIndexes, elsewhere });
        hasAnswered ||= files !== null;
        for (const file of files ?? []) known.set(file.storageIndex, file);
      }
    }
    if (!hasAnswered) {
      throw new MeshwardError('service-unavailable', 'no analyzer answers the collector at the moment', {
        next: 'Ask again in a while; operators see to collector.apiUrls and to the analyzers.',
        retryable: true,
      });
    }
    const why = 'no analyzer has told of it';
    return {
      files: indexes.map((storageIndex) => known.get(storageIndex) ?? { storageIndex, answer: 'unanswered', why }),
    };
  };
}
