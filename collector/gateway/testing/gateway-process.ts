/** A gateway on the embedded log, as a process that a test can kill. Says where it listens. */
import { createEmbeddedLog } from '#log/embedded-log.ts';
import { systemClock } from '#mesh/clock.ts';
import { configSchema } from '#mesh/config/schema.ts';
import { allTopics } from '#mesh/topics.ts';
import { createGateway } from '../gateway.ts';
import { testTopics } from './test-topics.ts';

export interface GatewayProcessOptions {
  readonly directory: string;
  readonly tls: { readonly key: string; readonly cert: string };
  /** 0 picks a free one. */
  readonly port: number;
}

process.once('message', (options: GatewayProcessOptions) => void start(options));
process.once('disconnect', () => process.exit(0));

async function start({ directory, tls, port }: GatewayProcessOptions): Promise<void> {
  const log = await createEmbeddedLog({ directory, topics: allTopics(testTopics), clock: systemClock });
  const config = configSchema.shape.collector.parse({ port, tickMs: 1000, postsPerSecond: 100_000 });
  const gateway = createGateway({ log, topics: testTopics, config, tls });
  process.send?.(await gateway.listen());
}
