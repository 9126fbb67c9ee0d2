/** What the contract of the event log needs of an adapter, and what its tests share. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type {
  AppendRecord,
  AssignedPartition,
  EventLog,
  GroupConsumer,
  LogRecord,
  Membership,
  TopicSpec,
} from '#log/port.ts';

export interface EventLogHarness {
  /** A new client of the log, as if another process opened it. Closed by the harness at the latest. */
  open(): Promise<EventLog>;
  /** What a child process needs to open the same log: a module that exports `openLog(config, topics)`, and JSON for it. */
  readonly child: { readonly module: string; readonly config: unknown };
  dispose(): Promise<void>;
}

/** Makes the topics. Sessions should time out within few seconds, retention and tombstone removal run within few more. */
export type MakeHarness = (topics: readonly TopicSpec[]) => Promise<EventLogHarness>;

/** What a child process does; see event-log-process.ts. */
export type ChildTask =
  | { readonly role: 'append'; readonly topic: string; readonly name: string }
  | { readonly role: 'consume'; readonly topic: string; readonly group: string };

export interface ChildSetup {
  readonly module: string;
  readonly config: unknown;
  readonly topics: readonly TopicSpec[];
  readonly task: ChildTask;
}

/** What a child process tells, in order. */
export type ChildReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'acknowledged'; readonly values: readonly string[] }
  | { readonly kind: 'assigned' | 'revoked'; readonly partitions: readonly AssignedPartition[] }
  | { readonly kind: 'received'; readonly partition: number; readonly offset: number; readonly value: string }
  | { readonly kind: 'commit-failed'; readonly code: string };

/** `commit` makes a consuming child commit its last records now. */
export type ChildCommand = 'commit';

export class Child {
  readonly reports: ChildReport[] = [];
  readonly process: ChildProcess;

  constructor(setup: ChildSetup) {
    this.process = fork(new URL('./event-log-process.ts', import.meta.url), [JSON.stringify(setup)], { execArgv: [] });
    this.process.on('message', (report) => this.reports.push(report as ChildReport));
    this.process.on('error', () => undefined);
  }

  command(command: ChildCommand): void {
    this.process.send(command);
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    // 'close' comes after what the child still wrote has been read.
    const closed = once(this.process, 'close');
    this.process.kill('SIGKILL');
    await closed;
  }

  of<K extends ChildReport['kind']>(kind: K): Extract<ChildReport, { kind: K }>[] {
    return this.reports.filter((report): report is Extract<ChildReport, { kind: K }> => report.kind === kind);
  }

  /** The partitions that the child was told it has now. */
  get owned(): readonly AssignedPartition[] {
    const owned = new Map<number, AssignedPartition>();
    for (const report of this.reports) {
      if (report.kind === 'assigned') for (const one of report.partitions) owned.set(one.partition, one);
      if (report.kind === 'revoked') for (const one of report.partitions) owned.delete(one.partition);
    }
    return [...owned.values()];
  }
}

/** A member that notes everything it is told, and commits each batch where `commits` is set. */
export class RecordingMember implements GroupConsumer {
  readonly owned = new Map<number, AssignedPartition>();
  readonly assignments: AssignedPartition[] = [];
  readonly received: LogRecord[] = [];
  readonly truncations: { partition: number; fromOffset: number; firstOffset: number }[] = [];
  commits = true;
  membership!: Membership;
  /** Where set, awaited before `revoked` returns. */
  holdRevoked: Promise<void> = Promise.resolve();
  revokedCalls = 0;

  static async join(log: EventLog, group: string, topic: string, commits = true): Promise<RecordingMember> {
    const member = new RecordingMember();
    member.commits = commits;
    member.membership = await log.join(group, [topic], member);
    member.membership.ended.catch(() => undefined);
    return member;
  }

  assigned(partitions: readonly AssignedPartition[]): Promise<undefined> {
    for (const one of partitions) this.owned.set(one.partition, one);
    this.assignments.push(...partitions);
    return Promise.resolve(undefined);
  }

  async revoked(partitions: readonly AssignedPartition[]): Promise<void> {
    this.revokedCalls++;
    await this.holdRevoked;
    for (const one of partitions) this.owned.delete(one.partition);
  }

  async records(partition: AssignedPartition, records: readonly LogRecord[]): Promise<void> {
    if (this.owned.get(partition.partition)?.generation !== partition.generation)
      throw new Error('records for what we do not own');
    this.received.push(...records);
    const last = records.at(-1);
    if (this.commits && last !== undefined && this.membership !== undefined)
      await this.membership.commit(partition, last.offset + 1);
  }

  truncated(partition: AssignedPartition, fromOffset: number, firstOffset: number): Promise<void> {
    this.truncations.push({ partition: partition.partition, fromOffset, firstOffset });
    return Promise.resolve();
  }

  get values(): string[] {
    return this.received.map(textOf);
  }
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function textOf(record: { value: Uint8Array | null }): string {
  return record.value === null ? '(tombstone)' : new TextDecoder().decode(record.value);
}

export function record(partition: number, value: string | null, key: string | null = null): AppendRecord {
  return { partition, key: key === null ? null : text(key), value: value === null ? null : text(value) };
}

/** Looks again and again until `look` gives something true; the last failure is told where it never does. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  what: string,
  timeoutMs = 30_000,
): Promise<Exclude<T, false | undefined | null>> {
  const giveUpAtMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== false && found !== undefined && found !== null) return found as Exclude<T, false | undefined | null>;
    if (performance.now() > giveUpAtMs) throw new Error(`did not happen in ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Everything that one partition holds, read without any group. */
export async function readAll(log: EventLog, topic: string, partition: number): Promise<LogRecord[]> {
  const bounds = (await log.bounds(topic))[partition];
  const records: LogRecord[] = [];
  if (bounds === undefined) return records;
  for (let offset = bounds.firstOffset; offset < bounds.nextOffset; ) {
    const batch = await log.read(topic, partition, offset, 1 << 20);
    const last = batch.at(-1);
    if (last === undefined) break;
    records.push(...batch);
    offset = last.offset + 1;
  }
  return records;
}
