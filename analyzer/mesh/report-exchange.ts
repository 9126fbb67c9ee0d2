/** Tells the other analyzers, over the log, what the last sweep found here. */
import type { PeerRegister } from '#peers/liveness/peer-register.ts';
import type { AnalyzerOptions } from '../options.ts';
import { InventoryAsks } from './inventory-asks.ts';
import type { MeshFacts } from './mesh-facts.ts';
import type { OwnPart } from './own-part.ts';
import { encodeReport, type Report, reportsPartition } from './report.ts';

export interface ReportExchangeOptions {
  readonly analyzer: Pick<AnalyzerOptions, 'log' | 'topics' | 'clock' | 'config'>;
  readonly instance: string;
  readonly own: Pick<OwnPart, 'judged' | 'ownedPartitions' | 'owingPeers'>;
  readonly facts: Pick<MeshFacts, 'troubles'>;
  readonly register: Pick<PeerRegister, 'find'>;
  readonly complain: (error: unknown, message: string) => void;
}

const reportIntervalMs = 1000;

export class ReportExchange {
  readonly #options: ReportExchangeOptions;
  readonly #asks = new InventoryAsks();
  #nextMs = 0;
  #underWay: Promise<void> | null = null;

  constructor(options: ReportExchangeOptions) {
    this.#options = options;
  }

  /** Begins to report where it is time and no report is under way. @param now monotonic time in milliseconds. */
  reportWhenDue(now: number): void {
    const { analyzer, complain } = this.#options;
    if (this.#underWay !== null || now < this.#nextMs) return;
    this.#nextMs = now + Math.min(reportIntervalMs, analyzer.config.analyzer.sweepIntervalMs);
    const record = { partition: reportsPartition, key: null, value: encodeReport(this.#report(now)) };
    this.#underWay = analyzer.log
      .append(analyzer.topics.peerEvents.name, [record])
      .then(
        () => undefined,
        (error: unknown) => complain(error, 'the log takes no report now; the other analyzers wait for the next'),
      )
      .finally(() => {
        this.#underWay = null;
      });
  }

  /** Resolves when no report is under way. */
  async settled(): Promise<void> {
    await this.#underWay;
  }

  #report(now: number): Report {
    const { analyzer, instance, own, facts, register } = this.#options;
    return {
      ...facts.troubles(),
      analyzer: instance,
      atMs: analyzer.clock.nowMs(),
      partitions: own.judged(),
      ownedPartitions: own.ownedPartitions,
      inventoryAsks: this.#asks.open(own.owingPeers(), (peer) => register.find(peer), now),
    };
  }
}
