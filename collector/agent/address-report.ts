/**
 * Tells the collector where this peer's shares are served, and the secret to get them, at every start and whenever that changed:
 * a peer that lost its state comes back with another port and another secret, and whoever knocks at the old ones finds nobody.
 */
import { type Backoff, spreadBackoffMs } from '#mesh/backoff.ts';
import type { Random } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import { settleNurl } from './enrol.ts';
import type { AgentContext } from './options.ts';
import type { Timers } from './timers.ts';

const retries: Backoff = { firstMs: 1000, longestMs: 10 * 60_000 };
const timer = 'address';

export class AddressReport {
  readonly #agent: Pick<AgentContext, 'config' | 'identity' | 'collector' | 'log' | 'own'>;
  readonly #timers: Timers;
  readonly #random: Random;
  #failures = 0;

  constructor(agent: AgentContext, timers: Timers) {
    this.#agent = agent;
    this.#timers = timers;
    this.#random = agent.random;
  }

  /** Tries again by itself until the collector has it. */
  async send(): Promise<void> {
    const { config, identity, collector, log, own } = this.#agent;
    const isServed = config.serve || config.nurl !== '';
    if (!isServed || collector.changeAddress === undefined) return;
    this.#timers.cancel(timer);
    try {
      const nurl = await settleNurl(config, identity, own.state);
      const isNews = await collector.changeAddress(nurl.revealText());
      this.#failures = 0;
      if (isNews) log.info({ address: nurl.authority }, 'the mesh was told where the shares are served now');
    } catch (error) {
      const waitMs = spreadBackoffMs(retries, this.#failures++, this.#random);
      log.debug({ error: describeError(error) }, 'the collector could not be told where the shares are served');
      this.#timers.after(timer, waitMs, () => void this.send());
    }
  }
}
