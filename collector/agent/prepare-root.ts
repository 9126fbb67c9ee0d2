/** Looks at the share folder before anything depends on it: a token is good once, and a peer that never was stays in the list. */
import { mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCodeOf } from '#mesh/durable-file.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { AgentFolders } from './folders.ts';
import type { ShareRoot } from './share-root.ts';
import type { AgentState } from './state.ts';

/** A name that was mistyped must not become a new and empty peer. @throws MeshwardError `config-invalid`. */
export async function requireStorageFolder({ storage }: Pick<AgentFolders, 'storage'>): Promise<void> {
  const refuse = (what: string, next: string, cause?: unknown): never => {
    throw new MeshwardError('config-invalid', `${storage}: ${what}`, { next, cause });
  };
  const correct = 'correct agent.shares (--shares)';
  let isFolder: boolean;
  try {
    isFolder = (await stat(storage)).isDirectory();
  } catch (error) {
    const code = systemCodeOf(error);
    if (code === 'ENOENT')
      return refuse(
        'there is no such folder',
        `Make it if this is the place (mkdir -p ${storage}); otherwise ${correct}.`,
        error,
      );
    return refuse(
      `it cannot be looked at (${code ?? describeError(error)})`,
      `Run the agent as a user that may read it, or ${correct}.`,
      error,
    );
  }
  if (!isFolder) refuse('this is a file, and a folder of shares is wanted', `Name the folder: ${correct}.`);
}

/** Finds out whether this is the peer's folder; at a peer's first start, makes it so. */
export async function prepareRoot(
  root: ShareRoot,
  state: AgentState,
  serves: boolean,
  folders: AgentFolders,
): Promise<void> {
  const condition = await root.check(0);
  if (condition === 'foreign') {
    throw new MeshwardError('config-invalid', `${root.path} is marked as the share folder of another peer`, {
      next: `Point agent.shares at this peer's own folder. If the shares were moved to this peer for good, remove ${root.markPath}.`,
    });
  }
  if (state.hasMark || condition === 'present') return; // where it is away, the agent waits for it
  if (condition === 'missing' && serves) {
    try {
      await mkdir(root.path, { recursive: true });
    } catch (error) {
      throw new MeshwardError('config-invalid', `the share folder ${root.path} cannot be made`, {
        next: 'Set agent.shares to a folder that this user may write.',
        cause: error,
      });
    }
    return;
  }
  try {
    await readdir(root.path);
  } catch (error) {
    throw new MeshwardError(
      'config-invalid',
      `there is no share folder at ${join(folders.storage, 'shares')}: ${describeError(error)}`,
      {
        next: "Set agent.shares to the Tahoe node's storage folder, which holds shares/.",
        cause: error,
      },
    );
  }
}
