/**
 * What people said of alerts, and what sinks were told: the topic `alerts` as a table, followed by every analyzer, written by the one
 * that tells. So an owner that takes over knows what its forerunner told, and whoever is asked can say who silenced what.
 */
import type { EventLog, Following, LogRecord } from '#log/port.ts';
import { type AlertSelector, parseAlertSelector } from '#mesh/alert-selector.ts';
import type { Clock } from '#mesh/clock.ts';
import { describeError } from '#mesh/errors.ts';
import {
  type Acknowledgement,
  type NoteRecord,
  noteRecord,
  noteTombstone,
  readNote,
  readNoteKey,
  type Silence,
  type SilenceEnd,
  type Told,
  toldKey,
} from '#mesh/events/alert-notes.ts';
import type { Logger } from '#mesh/logger.ts';

export interface AlertNotesOptions {
  readonly log: Pick<EventLog, 'follow' | 'append'>;
  readonly topic: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A silence, and when it ends or has ended. */
export interface KnownSilence extends Silence {
  readonly endedBy: SilenceEnd | null;
}

interface SilenceEntry {
  readonly silence: Silence;
  /** Null where this release cannot read it: then it silences nothing. */
  readonly selector: AlertSelector | null;
}

/** More are left out, and said: each is looked at for each alert. */
const maxSilences = 1000;
const maxAcknowledgements = 5000;
/** How long what is over can be asked for. */
const keepMs = 400 * 24 * 3_600_000;
const keepAcknowledgementsMs = 30 * 24 * 3_600_000;
const retryMs = 2000;

export class AlertNotes {
  readonly #options: AlertNotesOptions;
  readonly #silences = new Map<string, SilenceEntry>();
  readonly #ends = new Map<string, SilenceEnd>();
  readonly #acks = new Map<string, Acknowledgement>();
  readonly #told = new Map<string, Told>();
  /** What is not in the log yet, the newest of each key. */
  readonly #waiting = new Map<string, NoteRecord>();
  #following: Following | null = null;
  #writing: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: AlertNotesOptions) {
    this.#options = options;
  }

  /** Resolves once everything that was in the log at the call is known. */
  async start(failed: (error: unknown) => void): Promise<void> {
    const { log, topic } = this.#options;
    this.#following = await log.follow([topic], 'first', (_topic, _partition, records) => {
      for (const record of records) this.#apply(record);
      return Promise.resolve();
    });
    this.#following.ended.catch(failed);
    await Promise.race([this.#following.caughtUp, this.#following.ended]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
    await this.#following?.close();
  }

  /** That hold now and fit, the first of them; null where there is none. */
  silenceOf(labels: Readonly<Record<string, string>>, nowMs: number): Silence | null {
    for (const { silence, selector } of this.#silences.values()) {
      if (selector === null || silence.untilMs <= nowMs || this.#ends.has(silence.id)) continue;
      if (selector.fits(labels)) return silence;
    }
    return null;
  }

  /** Newest first. */
  silences(): readonly KnownSilence[] {
    const known = [...this.#silences.values()].map(({ silence }) => {
      return { ...silence, endedBy: this.#ends.get(silence.id) ?? null };
    });
    return known.sort((a, b) => b.createdAtMs - a.createdAtMs);
  }

  /** That holds now, for this occurrence of the alert. */
  acknowledgementOf(alertKey: string, alertId: string, nowMs: number): Acknowledgement | null {
    const ack = this.#acks.get(alertKey);
    return ack !== undefined && ack.alertId === alertId && ack.untilMs > nowMs ? ack : null;
  }

  told(sink?: string): readonly Told[] {
    return [...this.#told.values()].filter((told) => sink === undefined || told.sink === sink);
  }

  /** Durable in a while: until then it is tried again. @param told null where the sink knows nothing of the alert any more. */
  keep(sink: string, alertKey: string, told: Told | null): void {
    const key = toldKey(sink, alertKey);
    if (told === null) this.#told.delete(key);
    else this.#told.set(key, told);
    this.#write(key, told === null ? noteTombstone(key) : noteRecord({ kind: 'told', told }));
  }

  /** By the one that tells, now and then: what has been over for long goes, and what was told to sinks that are no more. */
  tidy(nowMs: number, sinks: ReadonlySet<string>): void {
    const gone: string[] = [];
    for (const [id, { silence }] of this.#silences) {
      if (silence.untilMs < nowMs - keepMs)
        gone.push(`silence:${id}`, ...(this.#ends.has(id) ? [`silence-end:${id}`] : []));
    }
    for (const [key, { untilMs }] of this.#acks) if (untilMs < nowMs - keepAcknowledgementsMs) gone.push(`ack:${key}`);
    for (const [key, { sink }] of this.#told) if (!sinks.has(sink)) gone.push(key);
    for (const key of gone) {
      this.#remove(key);
      this.#write(key, noteTombstone(key));
    }
  }

  #apply({ key, value, offset }: LogRecord): void {
    if (key === null) return;
    const name = readNoteKey(key);
    // What this analyzer has said since counts more.
    if (this.#waiting.has(name)) return;
    if (value === null) {
      this.#remove(name);
      return;
    }
    try {
      const note = readNote(value);
      if (note?.kind === 'silence') this.#addSilence(note.silence);
      else if (note?.kind === 'silence-end') this.#ends.set(note.end.silenceId, note.end);
      else if (note?.kind === 'ack') this.#addAcknowledgement(note.ack);
      else if (note?.kind === 'told') this.#told.set(name, note.told);
    } catch (error) {
      const { logger } = this.#options;
      logger.warn({ offset, error: describeError(error) }, 'a note on alerts cannot be read and is passed over');
    }
  }

  #addSilence(silence: Silence): void {
    let selector: AlertSelector | null = null;
    try {
      selector = parseAlertSelector(silence.selector);
    } catch {
      this.#options.logger.warn({ silence: silence.id }, 'a silence cannot be read and silences nothing');
    }
    this.#silences.set(silence.id, { silence, selector });
    if (this.#silences.size <= maxSilences) return;
    const [oldest] = [...this.#silences.values()].sort((a, b) => a.silence.untilMs - b.silence.untilMs);
    if (oldest === undefined) return;
    this.#silences.delete(oldest.silence.id);
    this.#options.logger.warn(
      { silence: oldest.silence.id, limit: maxSilences },
      'there are too many silences: the one that ends first is left out',
    );
  }

  #addAcknowledgement(ack: Acknowledgement): void {
    this.#acks.delete(ack.alertKey);
    this.#acks.set(ack.alertKey, ack);
    const [oldest] = this.#acks.keys();
    if (this.#acks.size > maxAcknowledgements && oldest !== undefined) this.#acks.delete(oldest);
  }

  #remove(key: string): void {
    const [kind = ''] = key.split(':', 1);
    const rest = key.slice(kind.length + 1);
    if (kind === 'silence') this.#silences.delete(rest);
    else if (kind === 'silence-end') this.#ends.delete(rest);
    else if (kind === 'ack') this.#acks.delete(rest);
    else this.#told.delete(key);
  }

  #write(key: string, record: NoteRecord): void {
    this.#waiting.set(key, record);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = null;
    });
  }

  async #writeAll(): Promise<void> {
    const { log, topic, logger, clock } = this.#options;
    while (this.#waiting.size > 0 && !this.#isClosed) {
      const records = new Map(this.#waiting);
      try {
        await log.append(topic, [...records.values()]);
        for (const [key, record] of records) if (this.#waiting.get(key) === record) this.#waiting.delete(key);
      } catch (error) {
        logger.warn({ error: describeError(error) }, 'the log takes no note on alerts now: some may be told twice');
        await new Promise<void>((resolve) => clock.after(retryMs, resolve));
      }
    }
  }
}
