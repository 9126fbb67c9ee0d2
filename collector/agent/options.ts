/** What an agent is made with. */

import type { Meter } from '@opentelemetry/api';
import type { Clock, Random } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import type { PeerIdentity } from '#tahoe/identity/key-folder.ts';
import type { CollectorContactOptions } from './collector-contact.ts';
import type { FollowerTiming } from './folder-follower.ts';
import type { AgentFolders } from './folders.ts';
import type { CheckShare, CollectorPort, StartShareServer } from './ports.ts';
import type { SenderLimits } from './sender.ts';
import type { ShareRoot } from './share-root.ts';
import type { AgentState } from './state.ts';
import type { VitalsSampler } from './vitals.ts';
import type { WatchBudget } from './watch.ts';

export interface AgentOptions {
  readonly config: Config['agent'];
  readonly identity: PeerIdentity;
  readonly collector: CollectorPort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Told to the collector. */
  readonly version: string;
  readonly system?: Partial<AgentSystem>;
  readonly timing?: Partial<AgentTiming>;
}

/** What an agent works with, where it is not to be the usual. */
export interface AgentSystem {
  /** @default Tahoe's storage protocol with the identity's key */
  readonly startServer: StartShareServer;
  readonly checkShare: CheckShare;
  /** Shared by the agents of a process. */
  readonly vitals: VitalsSampler;
  /** Shared by the agents of a process. @default 8192 watches */
  readonly watchBudget: WatchBudget;
  /** @default the process's own */
  readonly meter: Meter | undefined;
}

export interface AgentTiming {
  readonly follower: Partial<FollowerTiming>;
  readonly sender: Partial<SenderLimits>;
  /** How long changes are gathered into a batch. @default 50 */
  readonly gatherMs: number;
  /** How long what says only that all is as it was is gathered. @default 30 s */
  readonly laterMs: number;
  /** A round of the verifier takes at least so long. @default 1 h */
  readonly verifyRoundMs: number;
  /** How often the central settings are asked for. @default 60 s */
  readonly settingsMs: number;
}

/** With everything that has a default, and what the start found out. */
export interface AgentContext extends AgentOptions {
  readonly system: AgentSystem;
  readonly own: {
    readonly state: AgentState;
    readonly root: ShareRoot;
    readonly folders: AgentFolders;
    /** The mesh knows a higher incarnation than was remembered here: what waits in the spool was counted below it. */
    readonly hasLostCount: boolean;
  };
  readonly onOutdated: CollectorContactOptions['onOutdated'];
}
