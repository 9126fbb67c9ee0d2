/** The pins that a collector has told this agent, over restarts: after its key was replaced, the configured pin may be the old one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '#mesh/durable-file.ts';
import { describeError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import { isPeerId, type PeerId } from '#mesh/peer-id.ts';
import { CollectorPins } from '../gateway/collector-pins.ts';

const fileName = 'collector-pins.json';
const schema = z.object({ configured: z.array(z.string()), accepted: z.array(z.string().refine(isPeerId)).min(1) });

/** What was told counts for as long as the configuration says what it said then: a pin that a person changes wins. */
export async function openKeptPins(
  directory: string,
  configured: readonly PeerId[],
  log: Logger,
): Promise<CollectorPins> {
  const path = join(directory, fileName);
  const kept = await readFile(path, 'utf8')
    .then((text) => schema.parse(JSON.parse(text)))
    .catch(() => null);
  const isCurrent = kept !== null && kept.configured.join() === configured.join();
  return new CollectorPins(isCurrent ? kept.accepted : configured, (accepted) => {
    log.info({ accepted }, 'the collector is known by other keys from now on');
    writeDurably(path, JSON.stringify({ configured, accepted })).catch((error: unknown) =>
      log.warn({ error: describeError(error) }, 'the pins of the collector could not be kept; they are told again'),
    );
  });
}
