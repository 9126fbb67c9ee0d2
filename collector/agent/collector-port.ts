/** The collector's client as the agent's port. */
import type { CollectorClient } from '#collector/gateway/client.ts';
import type { CollectorPort } from './ports.ts';

export function collectorPort(client: Pick<CollectorClient, 'postEvents' | 'settings'>): CollectorPort {
  return {
    async post(post, signal) {
      signal.throwIfAborted();
      let onAbort = (): void => undefined;
      const aborted = new Promise<never>((_resolve, reject) => {
        onAbort = () => reject(signal.reason as Error);
        signal.addEventListener('abort', onAbort, { once: true });
      });
      try {
        // The client ends what is under way by its own time limit; the agent does not wait for it once it is stopping.
        await Promise.race([client.postEvents(post), aborted]);
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
    settings: (knownVersion) => client.settings(knownVersion),
  };
}
