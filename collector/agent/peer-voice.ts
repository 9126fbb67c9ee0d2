/** What the peer says of itself by itself: who it is, at each start and when that changes, and that it is alive, all the time. */
import { hostname } from 'node:os';
import { create } from '@bufbuild/protobuf';
import { describeError } from '#mesh/errors.ts';
import { AnnounceSchema, HeartbeatSchema, HostVitalsSchema } from '#mesh/generated/events_pb.js';
import { announcedHost } from './address.ts';
import { settleNurl } from './enrol.ts';
import type { PartsOptions } from './options.ts';
import type { PeerLane, PeerStatement } from './peer-lane.ts';
import type { ShareTable } from './share-table.ts';
import type { SpoolStats } from './spool.ts';
import type { Timers } from './timers.ts';

export interface PeerVoiceOptions {
  readonly agent: Pick<PartsOptions, 'config' | 'identity' | 'state' | 'root' | 'vitals' | 'version' | 'log'>;
  readonly lane: PeerLane;
  readonly timers: Timers;
  readonly table: ShareTable;
  readonly heartbeatMs: () => number;
  readonly verifiedCount: () => number;
  readonly spoolStats: () => SpoolStats;
  /** Where the agent's own server listens; null where it has none. */
  readonly servedPort: () => number | null;
  readonly onSaid: () => void;
}

const heartbeatTimer = 'heartbeat';

export class PeerVoice {
  readonly #options: PeerVoiceOptions;
  #isSilent = true;
  #announced = '';

  constructor(options: PeerVoiceOptions) {
    this.#options = options;
  }

  get isSilent(): boolean {
    return this.#isSilent;
  }

  async speakUp(): Promise<void> {
    this.#isSilent = false;
    await this.#announce();
    this.#beat();
  }

  /** A peer without its folder must look as if it were away: its shares are. */
  fallSilent(): void {
    this.#isSilent = true;
    this.#options.timers.cancel(heartbeatTimer);
    this.#options.lane.dropHeartbeats();
  }

  /** The rate of heartbeats changed. */
  setPace(): void {
    if (!this.#isSilent) this.#options.timers.after(heartbeatTimer, this.#options.heartbeatMs(), () => this.#beat());
  }

  say(statement: PeerStatement): void {
    this.#options.lane.say(statement);
    this.#options.onSaid();
  }

  #beat(): void {
    if (this.#isSilent) return;
    this.setPace();
    this.#heartbeat().catch((error: unknown) => {
      this.#options.agent.log.error({ error: describeError(error) }, 'a heartbeat could not be made');
    });
  }

  async #heartbeat(): Promise<void> {
    const { agent, table, verifiedCount, spoolStats } = this.#options;
    const [host, disk] = await Promise.all([agent.vitals.host(), agent.vitals.disk(agent.root.path)]);
    if (this.#isSilent) return; // it fell silent meanwhile
    const { batches, droppedInventories } = spoolStats();
    const vitals = create(HostVitalsSchema, {
      cpuUsedRatio: host.cpuUsedRatio,
      memoryUsedBytes: BigInt(host.memoryUsedBytes),
      diskUsedBytes: BigInt(disk?.usedBytes ?? 0),
      diskCapacityBytes: BigInt(disk?.capacityBytes ?? 0),
      networkReceivedBytes: BigInt(host.networkReceivedBytes),
      networkSentBytes: BigInt(host.networkSentBytes),
      sharesHeld: BigInt(table.shareCount),
      shareBytesHeld: BigInt(table.shareBytes),
      sharesVerified: BigInt(verifiedCount()),
      spooledBatches: BigInt(batches),
      spoolDroppedInventories: BigInt(droppedInventories),
      processMemoryBytesMib: host.processMemoryMib,
    });
    this.say({ case: 'heartbeat', value: create(HeartbeatSchema, { vitals }) });
  }

  async #announce(): Promise<void> {
    const { config, identity, state, root, vitals, version } = this.#options.agent;
    const disk = config.capacityBytes > 0 ? null : await vitals.disk(root.path);
    const nurl = config.serve || config.nurl !== '' ? await settleNurl(config, identity, state) : null;
    const announce = create(AnnounceSchema, {
      name: config.name !== '' ? config.name : (state.enrolment?.name ?? hostname()),
      domains: { ...state.enrolment?.domains },
      capacityBytes: BigInt(config.capacityBytes > 0 ? config.capacityBytes : (disk?.capacityBytes ?? 0)),
      host: nurl?.host ?? announcedHost(config.host),
      port: this.#options.servedPort() ?? nurl?.port ?? 0,
      agentVersion: version,
    });
    const said = JSON.stringify([
      announce.name,
      announce.domains,
      String(announce.capacityBytes),
      announce.host,
      announce.port,
    ]);
    if (said === this.#announced) return;
    this.#announced = said;
    this.say({ case: 'announce', value: announce });
  }
}
