/**
 * The agent beside a storage peer: says which shares are there, which are sound, and that the peer is alive. It owns no
 * thread and no process: sixty of them fit into one (the demo), each with a handful of timers.
 */

import { sleep } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import { AgentLock } from './agent-lock.ts';
import { makeParts } from './agent-parts.ts';
import { checkShareFile } from './check-share-file.ts';
import { agentFolders } from './folders.ts';
import type { AgentContext, AgentOptions } from './options.ts';
import type { PeerStatement } from './peer-lane.ts';
import { prepareRoot } from './prepare-root.ts';
import { ShareRoot } from './share-root.ts';
import { StartAnew } from './start-anew.ts';
import { StartedAgent } from './started-agent.ts';
import { AgentState } from './state.ts';
import { type AgentStatus, stoppedStatus } from './status.ts';
import { storageServing } from './storage-serving.ts';
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
  let running: StartedAgent | null = null;
  let starting: Promise<void> | null = null;
  let lock: AgentLock | null = null;

  const start = async (): Promise<void> => {
    lock = await AgentLock.take(folders);
    try {
      await begin();
    } catch (error) {
      lock.release();
      lock = null;
      throw error;
    }
  };

  const begin = async (): Promise<void> => {
    const { config, identity, clock, log } = options;
    const state = await AgentState.open(folders.state, identity.peerId, log);
    await prepareRoot(root, state, config.serve, folders);
    const mark = await root.readMark().catch(() => null);
    const heard = await lastHeard(options);
    const hasLostCount = await state.beginIncarnation(mark ?? { incarnation: 0, generation: 0 }, heard);
    if (hasLostCount)
      log.warn(
        { heard, incarnation: state.incarnation },
        'this peer lost its count of starts; it goes on above the one that the mesh has heard',
      );
    const { system } = options;
    const context: AgentContext = {
      ...options,
      system: {
        checkShare: system?.checkShare ?? checkShareFile,
        vitals: system?.vitals ?? createVitalsSampler(clock),
        watchBudget: system?.watchBudget ?? new WatchBudget(8192),
        startServer: system?.startServer ?? storageServing(identity, clock, log),
        meter: system?.meter,
      },
      own: { state, root, folders, hasLostCount },
      onOutdated: (isDoubled) => anew.soon(isDoubled),
    };
    const made = new StartedAgent(context, await makeParts(context));
    try {
      await made.start();
      running = made;
    } catch (error) {
      await made.stop();
      throw error;
    }
  };

  const halt = async (): Promise<void> => {
    const stopping = running;
    running = null;
    await stopping?.stop();
    lock?.release();
    lock = null;
  };

  const anew = new StartAnew(options.clock, options.random, () => {
    if (running === null) return;
    starting = halt().then(start);
    starting.catch((error: unknown) =>
      options.log.error({ error: describeError(error) }, 'the agent could not start anew; start it by hand'),
    );
  });

  return {
    peerId: options.identity.peerId,
    start: () => (starting ??= start()),
    async stop() {
      anew.cancel();
      await starting?.catch(() => undefined);
      await halt();
      anew.cancel();
      starting = null;
    },
    status: () => running?.status() ?? stoppedStatus(options.identity.peerId),
    say(statement) {
      started(running).say(statement);
    },
    requestInventory() {
      started(running).requestInventory();
    },
    async settled() {
      while (!started(running).isSettled) await sleep(options.clock, 10);
    },
  };
}

function started(running: StartedAgent | null): StartedAgent {
  if (running !== null) return running;
  throw new MeshwardError('service-unavailable', 'the agent is not running', { next: 'Start it first.' });
}

/** How long a start waits to hear from the collector what it knows. */
const askTimeoutMs = 5000;

/** The highest incarnation that the mesh has heard of this peer; 0 where the collector cannot be asked now: it tells later. */
async function lastHeard({ collector, clock, log }: AgentOptions): Promise<number> {
  const asked = new AbortController();
  try {
    const patience = sleep(clock, askTimeoutMs, asked.signal).then(
      () => null,
      () => null,
    );
    const settings = await Promise.race([collector.settings?.(0, 0), patience]);
    return settings?.lastIncarnation ?? 0;
  } catch (error) {
    log.debug({ error: describeError(error) }, 'the collector could not be asked how this peer was heard last');
    return 0;
  } finally {
    asked.abort(new MeshwardError('cancelled', 'the collector was asked', { next: 'Nothing to do.' }));
  }
}
