/** What the routes of one gateway share. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import type { FastifyInstance } from 'fastify';
import type { EventLog } from '#log/port.ts';
import type { Clock, Random } from '#mesh/clock.ts';
import type { Config } from '#mesh/config/schema.ts';
import type { Logger } from '#mesh/logger.ts';
import type { PeerId } from '#mesh/peer-id.ts';
import type { TokenBuckets } from '#mesh/token-bucket.ts';
import type { Topics } from '#mesh/topics.ts';
import type { Admission } from './admission.ts';
import type { AskFiles } from './analyzers.ts';
import type { CampaignDesk } from './campaigns.ts';
import type { Connections } from './connections.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { Enrolments } from './enrolments.ts';
import type { GatheredAppends } from './gathered-appends.ts';
import type { Incarnations } from './incarnations.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { OwnerBatches } from './owner-batches.ts';
import type { PostOrder } from './post-order.ts';
import type { RepairSettings } from './repair-settings.ts';

export type GatewayApp = FastifyInstance<Server, IncomingMessage, ServerResponse>;

/** The part of the log that a gateway needs. */
export type GatewayLog = Pick<EventLog, 'append' | 'follow' | 'bounds'>;

export interface GatewayService {
  readonly log: GatewayLog;
  readonly topics: Topics;
  readonly config: Config['collector'];
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: GatewayMetrics;
  readonly logger: Logger;
  readonly pin: PeerId;
  /** Of posts. */
  readonly admission: Admission;
  readonly enrolAdmission: Admission;
  /** Of questions. */
  readonly askAdmission: Admission;
  readonly askFiles: AskFiles;
  readonly connections: Connections;
  readonly postRate: TokenBuckets;
  readonly eventRate: TokenBuckets;
  /** Of batches with what this release does not know, by peer. */
  readonly unknownRate: TokenBuckets;
  readonly enrolRate: TokenBuckets;
  /** Of files that are asked of, by peer. */
  readonly askRate: TokenBuckets;
  readonly order: PostOrder;
  readonly heartbeats: GatheredAppends;
  readonly deadLetters: DeadLetters;
  readonly enrolments: Enrolments;
  readonly incarnations: Incarnations;
  readonly ownerBatches: OwnerBatches;
  readonly campaigns: CampaignDesk;
  readonly repairSettings: RepairSettings;
}
