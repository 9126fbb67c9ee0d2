/** The collector's client as the agent's port. */
import type { CollectorClient } from '../gateway/client.ts';
import type { CollectorPort } from './ports.ts';

export function collectorPort(client: Pick<CollectorClient, 'postBody' | 'settings' | 'changeAddress'>): CollectorPort {
  return {
    async post(body, signal) {
      signal.throwIfAborted();
      await client.postBody(body, {}, signal);
    },
    changeAddress: async (nurl) => (await client.changeAddress(nurl)).changed,
    settings: (knownVersion, knownInventoryRequest) => client.settings(knownVersion, knownInventoryRequest),
  };
}
