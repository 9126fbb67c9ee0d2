/** The rates that an agent works by: its own configuration, overruled by what the operators set centrally. */

import type { Config } from '#mesh/config/schema.ts';
import { describeError } from '#mesh/errors.ts';
import type { Logger } from '#mesh/logger.ts';
import type { CentralSettings, CollectorPort } from './ports.ts';

export interface AgentRates {
  readonly heartbeatMs: number;
  readonly inventoryIntervalMs: number;
  /** 0 never checks. */
  readonly verifyBytesPerSecond: number;
  /** 0 is unlimited. */
  readonly serveBytesPerSecond: number;
}

export function configuredRates(config: Config['agent']): AgentRates {
  const { heartbeatMs, inventoryIntervalMs, verifyBytesPerSecond } = config;
  return { heartbeatMs, inventoryIntervalMs, verifyBytesPerSecond, serveBytesPerSecond: 0 };
}

/** Central settings count once an operator chose them: from version 2 on. A zero rate of heartbeats or inventories says nothing. */
export function effectiveRates(config: Config['agent'], central: CentralSettings | null): AgentRates {
  const own = configuredRates(config);
  if (central === null || central.version < 2) return own;
  return {
    heartbeatMs: central.heartbeatMs === 0 ? own.heartbeatMs : Math.max(100, central.heartbeatMs),
    inventoryIntervalMs: central.inventoryIntervalS === 0 ? own.inventoryIntervalMs : central.inventoryIntervalS * 1000,
    verifyBytesPerSecond: central.verifyBytesPerSecond,
    serveBytesPerSecond: central.serveBytesPerSecond,
  };
}

/** How often an agent asks for its settings. */
export const settingsPollMs = 60_000;

export interface Refreshed {
  readonly isChanged: boolean;
  readonly isInventoryAsked: boolean;
}

const nothingNew: Refreshed = { isChanged: false, isInventoryAsked: false };

export class RatesInForce {
  readonly #config: Config['agent'];
  readonly #collector: CollectorPort;
  readonly #log: Logger;
  #central: CentralSettings | null = null;
  /** As it was last told; null before the first answer. */
  #inventoryRequest: number | null = null;

  constructor(config: Config['agent'], collector: CollectorPort, log: Logger) {
    this.#config = config;
    this.#collector = collector;
    this.#log = log;
  }

  get rates(): AgentRates {
    return effectiveRates(this.#config, this.#central);
  }

  /** Of the central settings; 0 while there are none. */
  get version(): number {
    return this.#central?.version ?? 0;
  }

  /** A collector that does not answer changes nothing. */
  async refresh(): Promise<Refreshed> {
    try {
      const settings = await this.#collector.settings?.(this.version, this.#inventoryRequest ?? 0);
      if (settings === undefined) return nothingNew;
      const isInventoryAsked = this.#noteRequest(settings?.inventoryRequest ?? this.#inventoryRequest ?? 0);
      if (settings === null || settings.version === this.version) return { isChanged: false, isInventoryAsked };
      this.#central = settings;
      this.#log.info({ version: settings.version }, 'central settings were taken over');
      return { isChanged: true, isInventoryAsked };
    } catch (error) {
      this.#log.debug({ error: describeError(error) }, 'the central settings could not be fetched');
      return nothingNew;
    }
  }

  /** The first one only tells where the count stands: a start takes an inventory anyway. */
  #noteRequest(inventoryRequest: number): boolean {
    const last = this.#inventoryRequest;
    this.#inventoryRequest = inventoryRequest;
    if (last === null || inventoryRequest <= last) return false;
    this.#log.info({ inventoryRequest }, 'an inventory is asked for');
    return true;
  }
}
