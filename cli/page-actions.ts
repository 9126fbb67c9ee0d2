/** What the page changes, handed to the collector of this data directory as its operator. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { PageActions } from '#dashboards/page/action-routes.ts';
import { systemClock } from '#mesh/clock.ts';
import { isAccessAsked } from '#mesh/config/access-keys.ts';
import { isLoopback } from '#mesh/loopback.ts';
import { keyFileName } from '#tahoe/identity/key-folder.ts';
import { type Context, foldersOf } from './context.ts';
import { withCollector } from './mesh-address.ts';

/**
 * Null where the page only shows: beyond loopback, where it is switched off, where there is no operator's key, and where people log in,
 * for no role of theirs changes the mesh.
 */
export async function pageActions(context: Context): Promise<PageActions | null> {
  const { config, dataDir } = context;
  if (!config.api.pageActions || !isLoopback(config.api.host) || isAccessAsked(config.access)) return null;
  const hasKey = await access(join(foldersOf(dataDir, config).operatorKey, keyFileName)).then(
    () => true,
    () => false,
  );
  if (!hasKey) return null;
  return {
    nowMs: () => systemClock.nowMs(),
    silence: (wish) => withCollector(context, {}, (collector) => collector.silenceAlerts(wish)),
    async endSilence(id) {
      await withCollector(context, {}, (collector) => collector.endSilence(id));
    },
    async acknowledge(wish) {
      await withCollector(context, {}, (collector) => collector.acknowledgeAlert(wish));
    },
  };
}
