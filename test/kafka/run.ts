/** A cluster to try things on: `node test/kafka/run.ts [1|3]` prints its brokers, and keeps it until it is interrupted. */
import { startKafka } from './cluster.ts';

const cluster = await startKafka({ nodes: process.argv[2] === '3' ? 3 : 1 });
console.log(cluster.bootstrap);
// Something must hold the process: its brokers are others.
const hold = setInterval(() => undefined, 60_000);
const stop = (): void => {
  clearInterval(hold);
  void cluster.stop();
};
process.once('SIGINT', stop).once('SIGTERM', stop);
