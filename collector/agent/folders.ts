/** Where an agent keeps what, from its configuration. */
import { join, resolve } from 'node:path';
import type { Config } from '#mesh/config/schema.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { storageFolderOf } from './share-root.ts';

export interface AgentFolders {
  /** Holds `shares/`, as Tahoe's `storage/` does. */
  readonly storage: string;
  /** The two-letter folders are in it. */
  readonly shares: string;
  readonly key: string;
  /** State, swissnum, table and spool. */
  readonly state: string;
}

/** @throws MeshwardError `config-invalid` where no folder of shares is configured. */
export function agentFolders(config: Pick<Config['agent'], 'shares' | 'keyDir' | 'spoolDir'>): AgentFolders {
  if (config.shares === '') {
    throw new MeshwardError('config-invalid', 'an agent needs a folder of shares', {
      next: "Set agent.shares to the folder that holds shares/, such as a Tahoe node's storage folder.",
    });
  }
  const storage = storageFolderOf(resolve(config.shares));
  return {
    storage,
    shares: join(storage, 'shares'),
    key: config.keyDir === '' ? join(storage, 'key') : resolve(config.keyDir),
    state: config.spoolDir === '' ? join(storage, 'spool') : resolve(config.spoolDir),
  };
}
