/**
 * The agent beside a storage peer: says which shares are there, which are sound, and that the peer is alive. It owns no
 * thread and no process: sixty of them fit into one (the demo), each with a handful of timers.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { AgentParts } from './agent-parts.ts';
import { checkShareFile } from './check-share-file.ts';
import { type AgentFolders, agentFolders } from './folders.ts';
import type { AgentOptions } from './options.ts';
import type { PeerStatement } from './peer-lane.ts';
import { shareServing } from './serve-shares.ts';
import { ShareRoot } from './share-root.ts';
import { AgentState } from './state.ts';
import type { AgentStatus } from './status.ts';
import { createVitalsSampler } from './vitals.ts';
import { WatchBudget } from './watch.ts';

export interface Agent {
  readonly peerId: PeerId;
  /** Resolves when the agent is at work: what the folder holds is on its way. @throws MeshwardError `config-invalid`. */
  start(): Promise<void>;
  /** What was noticed is in the spool afterwards; what was not sent goes out at the next start. */
  stop(): Promise<void>;
  status(): AgentStatus;
  /** Lets the peer say something about itself: drain, maintenance, departure. */
  say(statement: PeerStatement): void;
  /** Takes a full inventory as soon as it can. */
  requestInventory(): void;
  /** Resolves when everything that was noticed so far has been taken by the collector. */
  settled(): Promise<void>;
}

export function createAgent(options: AgentOptions): Agent {
  const folders = agentFolders(options.config);
  const root = new ShareRoot(folders.shares, options.identity.peerId);
  let parts: AgentParts | null = null;
  let starting: Promise<void> | null = null;

  const start = async (): Promise<void> => {
    const { config, identity, clock, log } = options;
    const state = await AgentState.open(folders.state, identity.peerId, log);
    await prepareRoot(root, state, config.serve, folders);
    const mark = await root.readMark().catch(() => null);
    await state.beginIncarnation(mark ?? { incarnation: 0, generation: 0 });
    const made = await AgentParts.make({
      ...options,
      state,
      root,
      folders,
      checkShare: options.checkShare ?? checkShareFile,
      vitals: options.vitals ?? createVitalsSampler(clock),
      watchBudget: options.watchBudget ?? new WatchBudget(8192),
      startServer: options.startServer ?? shareServing(identity, clock, log),
    });
    try {
      await made.start();
      parts = made;
    } catch (error) {
      await made.stop();
      throw error;
    }
  };

  return {
    peerId: options.identity.peerId,
    start: () => (starting ??= start()),
    async stop() {
      await starting?.catch(() => undefined);
      const stopping = parts;
      parts = null;
      starting = null;
      await stopping?.stop();
    },
    status: () => parts?.status() ?? stoppedStatus(options.identity.peerId),
    say(statement) {
      started(parts).say(statement);
    },
    requestInventory() {
      started(parts).requestInventory();
    },
    async settled() {
      while (!started(parts).isSettled) await sleep(options.clock, 10);
    },
  };
}

function started(parts: AgentParts | null): AgentParts {
  if (parts !== null) return parts;
  throw new MeshwardError('service-unavailable', 'the agent is not running', { next: 'Start it first.' });
}

/** Finds out whether this is the peer's folder; at a peer's first start, makes it so. */
async function prepareRoot(root: ShareRoot, state: AgentState, serves: boolean, folders: AgentFolders): Promise<void> {
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

function stoppedStatus(peerId: PeerId): AgentStatus {
  return {
    peerId,
    phase: 'stopped',
    folder: 'missing',
    incarnation: 0,
    generation: 0,
    lastInventoryAtMs: null,
    lastScanDurationMs: null,
    shares: 0,
    shareBytes: 0,
    corruptShares: 0,
    verifiedShares: 0,
    otherFiles: {
      mutable: 0,
      'half-written': 0,
      empty: 0,
      unreadable: 0,
      unknown: 0,
      foreign: 0,
      link: 0,
      'folder-as-share': 0,
      'unreadable-folder': 0,
    },
    otherFileExamples: [],
    collectorReachable: false,
    lastErrorCode: null,
    spool: { batches: 0, bytes: 0, droppedBatches: 0, droppedInventories: 0, setAsideBatches: 0, damagedFiles: 0 },
    watches: 0,
    settingsVersion: 0,
    serving: null,
  };
}
