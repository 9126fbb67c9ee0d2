/** A sink for tests that remembers what it took, and takes nothing while it is told to. */
import type { Notice } from '../notice.ts';
import { type AlertSink, SinkError } from '../sink.ts';

export interface RecordingOptions {
  readonly name?: string;
  readonly severities?: readonly Notice['severity'][];
  readonly resendMs?: number | null;
}

export class RecordingSink implements AlertSink {
  readonly name: string;
  readonly kind = 'recording';
  readonly resendMs: number | null;
  readonly isForPages: boolean;
  readonly taken: Notice[] = [];
  tries = 0;
  fault: 'none' | 'away' | 'refusing' | 'hanging' = 'none';
  readonly #severities: readonly Notice['severity'][];

  constructor({ name = 'pager', severities = ['page', 'warning'], resendMs = null }: RecordingOptions = {}) {
    this.name = name;
    this.resendMs = resendMs;
    this.#severities = severities;
    this.isForPages = severities.includes('page');
  }

  takes({ severity, cause }: Notice): boolean {
    return this.#severities.includes(severity) && cause['sink'] !== this.name;
  }

  send(notice: Notice, signal: AbortSignal): Promise<void> {
    this.tries++;
    if (this.fault === 'none') {
      this.taken.push(notice);
      return Promise.resolve();
    }
    if (this.fault === 'hanging') {
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new SinkError('sink', 'no answer in time', { next: 'Wait.' })));
      });
    }
    const scope = this.fault === 'away' ? 'sink' : 'notice';
    return Promise.reject(new SinkError(scope, `the sink is ${this.fault}`, { next: 'Wait.' }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** What it was told, in few words. */
  said(): readonly string[] {
    return this.taken.map(({ state, alertKey, severity }) => `${state} ${alertKey} ${severity}`);
  }
}
