/** Many files asked of at once, for collectors that pass on what peers ask. Says how each is, and not who holds it. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type AnalyzerAskBody, type AskedFile, analyzerAskBody, askAnswer } from '#mesh/asking.ts';
import { describeError } from '#mesh/errors.ts';
import { parseStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';
import type { FileAnswer, Unanswered } from '../files/file-answer.ts';
import type { Analyzer } from '../service.ts';
import { toFileAnswer, toFreshnessAnswer } from './answers.ts';

export type AskedAnalyzer = Pick<Analyzer, 'file' | 'unanswered' | 'lookUp' | 'meshFreshness'>;

/** Of files that the database is asked of, at once. */
const lanes = 8;

export function askRoutes(analyzer: AskedAnalyzer, app: FastifyInstance): void {
  app.post<{ Body: AnalyzerAskBody }>(
    '/v1/files/ask',
    {
      // It reads, whatever its method is.
      config: { access: 'viewer' },
      schema: {
        summary: 'Could I recover each of these files now?',
        body: plainSchema(analyzerAskBody),
        response: { 200: { description: 'In the order in which they were asked.', ...plainSchema(askAnswer) } },
      },
    },
    async ({ body }) => {
      const indexes = body.storageIndexes.map((text) => parseStorageIndex(text));
      const files: AskedFile[] = [];
      const others: number[] = [];
      for (const [i, index] of indexes.entries()) {
        const found = analyzer.file(index) ?? analyzer.unanswered(index);
        if (found === 'owned-elsewhere' && body.elsewhere === true) others.push(i);
        else files[i] = wordOf(index, found, analyzer);
      }
      const work = async (): Promise<void> => {
        for (let i = others.pop(); i !== undefined; i = others.pop()) {
          const index = indexes[i] as StorageIndex;
          files[i] = await analyzer.lookUp(index).then(
            (found) => wordOf(index, found, analyzer),
            (error: unknown) => ({ storageIndex: index, answer: 'unanswered', why: describeError(error) }),
          );
        }
      };
      await Promise.all(Array.from({ length: lanes }, work));
      // What is not meant to be told is left out here: who asks is a peer, and no operator.
      return askAnswer.parse({ files });
    },
  );
}

function wordOf(storageIndex: StorageIndex, found: FileAnswer | Unanswered, analyzer: AskedAnalyzer): AskedFile {
  if (typeof found !== 'string') {
    return { ...toFileAnswer(found), answer: 'known' };
  }
  const freshness = toFreshnessAnswer(analyzer.meshFreshness());
  const isStale = freshness.state === 'stale';
  switch (found) {
    case 'deleted':
      return { storageIndex, answer: 'unknown', why: 'the file was deleted by its owner', freshness };
    case 'without-manifest':
      return {
        storageIndex,
        answer: 'unknown',
        why: 'peers hold shares of the file, but nobody has said what it is',
        freshness,
      };
    case 'owned-elsewhere':
      return { storageIndex, answer: 'unanswered', why: 'another analyzer knows of it' };
    case 'being-rebuilt':
      return { storageIndex, answer: 'unanswered', why: 'what is known of it is being rebuilt' };
    case 'unknown':
      return isStale
        ? { storageIndex, answer: 'unanswered', why: `nothing is known of it so far: ${freshness.reasons.join('; ')}` }
        : {
            storageIndex,
            answer: 'unknown',
            why: 'no peer has reported a share of it, and no owner has registered it',
            freshness,
          };
  }
}

function plainSchema(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'output', unrepresentable: 'any' });
}
