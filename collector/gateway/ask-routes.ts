/** `POST /v1/ask`: any peer may ask with its own key whether files could be recovered right now. */
import { type AskAnswer, type AskBody, type AskedFile, askAnswer, askBody } from '#mesh/asking.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { parseStorageIndex } from '#mesh/storage-index.ts';
import { Refusal } from './answers.ts';
import { jsonSchema } from './bodies.ts';
import { admitPeer, requirePeer, withinRate } from './callers.ts';
import type { AskOutcome } from './metrics.ts';
import type { GatewayApp, GatewayService } from './service.ts';

/** 500 storage indexes and their commas. */
const maxAskBytes = 32 * 1024;
/** Each question costs a round to the analyzers, however few files it names. */
const leastFiles = 10;

export function askRoutes(service: GatewayService) {
  const limited = (id: PeerId, files: number): void => {
    try {
      withinRate(service.askRate, id, files, 'files');
    } catch (error) {
      service.metrics.asked('limited', []);
      throw error;
    }
  };

  return (app: GatewayApp): void => {
    app.post<{ Body: AskBody }>(
      '/v1/ask',
      {
        schema: { body: jsonSchema(askBody), response: { 200: jsonSchema(askAnswer) } },
        bodyLimit: maxAskBytes,
        // Each question is paid for before its body is read, and many files in it after that.
        onRequest: async (request) => limited(await admitPeer(service, request), leastFiles),
      },
      async (request, reply): Promise<AskAnswer> => {
        const { id } = requirePeer(service, request);
        reply.header('cache-control', 'no-store');
        const indexes = request.body.storageIndexes.map((text) => parseStorageIndex(text));
        if (indexes.length > leastFiles) limited(id, indexes.length - leastFiles);
        const place = service.askAdmission.admit(maxAskBytes, id);
        try {
          const answer = await service.askFiles(indexes);
          service.metrics.asked('answered', answer.files.map(outcomeOf));
          return answer;
        } catch (error) {
          service.metrics.asked('unavailable', []);
          throw error;
        } finally {
          place.release();
        }
      },
    );
  };
}

function outcomeOf(file: AskedFile): AskOutcome {
  if (file.answer !== 'known') return file.answer;
  return file.recoverableNow ? 'recoverable' : 'not-recoverable';
}

/** For gateways that are told of no analyzer. */
export async function nobodyToAsk(): Promise<AskAnswer> {
  throw new Refusal(503, 'service-unavailable', 'this collector knows of no analyzer', {
    next: 'Ask an operator to set collector.apiUrls.',
  });
}
