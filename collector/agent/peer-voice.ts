/** What the peer says of itself by itself: who it is, at each start and when that changes, and that it is alive, all the time. */
import { hostname } from 'node:os';
import { create } from '@bufbuild/protobuf';
import { describeError } from '#mesh/errors.ts';
import { AnnounceSchema, HeartbeatSchema, HostVitalsSchema } from '#mesh/generated/events_pb.js';
import { announcedHost } from './address.ts';
import { settleNurl } from './enrol.ts';
import type { AgentContext } from './options.ts';
import type { PeerLane, PeerStatement } from './peer-lane.ts';
import type { Sender } from './sender.ts';
import type { RatesInForce } from './settings.ts';
import type { ShareServing } from './share-serving.ts';
import type { ShareTable } from './share-table.ts';
import type { Spool } from './spool.ts';
import type { Timers } from './timers.ts';
import type { Verifier } from './verifier.ts';

export interface PeerVoiceOptions {
  readonly agent: Pick<AgentContext, 'config' | 'identity' | 'own' | 'system' | 'version' | 'log'>;
  readonly lane: PeerLane;
  readonly sender: Pick<Sender<unknown>, 'wake'>;
  readonly timers: Timers;
  readonly rates: RatesInForce;
  readonly facts: PeerFacts;
}

/** What heartbeats and announcements tell of the peer's parts. */
export interface PeerFacts {
  readonly table: ShareTable;
  readonly verifier: Pick<Verifier, 'verifiedCount'>;
  readonly spool: Pick<Spool, 'stats'>;
  readonly serving: Pick<ShareServing, 'port'>;
}

const heartbeatTimer = 'heartbeat';

export class PeerVoice {
  readonly #options: PeerVoiceOptions;
  #isSilent = true;
  #announced = '';
  #saidIntervalMs = 0;

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
    // At once: who listens must learn of a longer interval before it is waited for.
    if (this.#options.rates.rates.heartbeatMs !== this.#saidIntervalMs) this.#beat();
  }

  say(statement: PeerStatement): void {
    this.#options.lane.say(statement);
    this.#options.sender.wake();
  }

  #beat(): void {
    if (this.#isSilent) return;
    this.#saidIntervalMs = this.#options.rates.rates.heartbeatMs;
    this.#options.timers.after(heartbeatTimer, this.#saidIntervalMs, () => this.#beat());
    this.#heartbeat().catch((error: unknown) => {
      this.#options.agent.log.error({ error: describeError(error) }, 'a heartbeat could not be made');
    });
  }

  async #heartbeat(): Promise<void> {
    const { agent, facts } = this.#options;
    const { table, verifier, spool } = facts;
    const { vitals: sampler } = agent.system;
    const [host, disk] = await Promise.all([sampler.host(), sampler.disk(agent.own.root.path)]);
    if (this.#isSilent) return; // it fell silent meanwhile
    const { batches, droppedInventories } = spool.stats;
    const vitals = create(HostVitalsSchema, {
      cpuUsedRatio: host.cpuUsedRatio,
      memoryUsedBytes: BigInt(host.memoryUsedBytes),
      diskUsedBytes: BigInt(disk?.usedBytes ?? 0),
      diskCapacityBytes: BigInt(disk?.capacityBytes ?? 0),
      networkReceivedBytes: BigInt(host.networkReceivedBytes),
      networkSentBytes: BigInt(host.networkSentBytes),
      sharesHeld: BigInt(table.shareCount),
      shareBytesHeld: BigInt(table.shareBytes),
      sharesVerified: BigInt(verifier.verifiedCount),
      spooledBatches: BigInt(batches),
      spoolDroppedInventories: BigInt(droppedInventories),
      processMemoryBytesMib: host.processMemoryMib,
      diskWaitRatio: host.diskWaitRatio,
    });
    this.say({
      case: 'heartbeat',
      value: create(HeartbeatSchema, { vitals, intervalMs: this.#saidIntervalMs }),
    });
  }

  async #announce(): Promise<void> {
    const { config, identity, own, system, version } = this.#options.agent;
    const { state, root } = own;
    const disk = config.capacityBytes > 0 ? null : await system.vitals.disk(root.path);
    const nurl = config.serve || config.nurl !== '' ? await settleNurl(config, identity, state) : null;
    const announce = create(AnnounceSchema, {
      name: config.name !== '' ? config.name : (state.enrolment?.name ?? hostname()),
      domains: { ...state.enrolment?.domains },
      capacityBytes: BigInt(config.capacityBytes > 0 ? config.capacityBytes : (disk?.capacityBytes ?? 0)),
      host: nurl?.host ?? announcedHost(config.host),
      port: this.#options.facts.serving.port ?? nurl?.port ?? 0,
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
