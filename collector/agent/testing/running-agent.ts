/** An agent on a folder of its own with a collector in memory, quick timers and the system's clock. */

import { seededRandom, systemClock } from '#mesh/clock.ts';
import { type Config, configSchema } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import { createPeerIdentity, type PeerIdentity } from '#tahoe/identity/key-folder.ts';
import { type Agent, createAgent } from '../agent.ts';
import type { AgentOptions, AgentTiming } from '../options.ts';
import { FakeCollector } from './fake-collector.ts';
import { PeerFolder } from './peer-folder.ts';

export const quickTiming: AgentTiming = {
  follower: { rootCheckMs: 50, pollMs: 50, gatherMs: 5, unwatchedScanMs: 50 },
  sender: { firstPauseMs: 5, longestPauseMs: 20, unwelcomePauseMs: 20 },
  gatherMs: 5,
  laterMs: 5,
  verifyRoundMs: 3_600_000,
  settingsMs: 20,
};

export class RecordingLog implements Logger {
  readonly lines: { level: string; fields: Record<string, unknown>; message: string }[] = [];
  debug(): void {}
  info(fields: Record<string, unknown>, message: string): void {
    this.lines.push({ level: 'info', fields, message });
  }
  warn(fields: Record<string, unknown>, message: string): void {
    this.lines.push({ level: 'warn', fields, message });
  }
  error(fields: Record<string, unknown>, message: string): void {
    this.lines.push({ level: 'error', fields, message });
  }
}

export interface RunningAgent {
  readonly folder: PeerFolder;
  readonly collector: FakeCollector;
  readonly log: RecordingLog;
  readonly identity: PeerIdentity;
  readonly options: AgentOptions;
  agent: Agent;
  /** Stops the agent, and starts another one on the same folders. */
  restart(): Promise<void>;
  end(): Promise<void>;
}

export interface RunOptions {
  readonly folder?: PeerFolder;
  readonly collector?: FakeCollector;
  readonly config?: Partial<Config['agent']>;
  readonly agent?: Partial<AgentOptions>;
}

let identities: Promise<PeerIdentity> | null = null;

/** Not started yet; by default it serves nothing and verifies nothing. */
export async function makeAgent({ folder, collector, config, agent }: RunOptions = {}): Promise<RunningAgent> {
  const madeFolder = folder ?? (await PeerFolder.make());
  const madeCollector = collector ?? new FakeCollector();
  const log = new RecordingLog();
  const identity = await (identities ??= createPeerIdentity());
  const options: AgentOptions = {
    config: configSchema.shape.agent.parse({
      shares: madeFolder.path,
      serve: false,
      name: 'peer',
      heartbeatMs: 100,
      verifyBytesPerSecond: 0,
      ...config,
    }),
    identity,
    collector: madeCollector,
    clock: systemClock,
    random: seededRandom(7),
    log,
    version: '1.2.3',
    timing: quickTiming,
    ...agent,
  };
  const running: RunningAgent = {
    folder: madeFolder,
    collector: madeCollector,
    log,
    identity,
    options,
    agent: createAgent(options),
    async restart() {
      await running.agent.stop();
      running.agent = createAgent(options);
      await running.agent.start();
    },
    async end() {
      await running.agent.stop();
      await madeFolder.destroy();
    },
  };
  return running;
}

export async function runAgent(options: RunOptions = {}): Promise<RunningAgent> {
  const running = await makeAgent(options);
  await running.agent.start();
  return running;
}
