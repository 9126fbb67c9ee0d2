/** The collector's client as the agent's port. */
import type { CollectorClient } from '../gateway/client.ts';
import type { CollectorPort } from './ports.ts';

export function collectorPort(client: Pick<CollectorClient, 'postEvents' | 'settings'>): CollectorPort {
  return {
    async post(post, signal) {
      signal.throwIfAborted();
      await client.postEvents(post, {}, signal);
    },
    settings: (knownVersion, knownInventoryRequest) => client.settings(knownVersion, knownInventoryRequest),
  };
}
