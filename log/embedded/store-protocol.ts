/** What the log asks of the threads that hold its files. Requests are answered in order. */
import type { ErrorCode } from '#mesh/errors.ts';
import type { PartitionBounds, Position, TopicSpec } from '../port.ts';
import type { HeldUnder, MemberSpec, OwnedPartition } from '../shared/member.ts';
import type { PackedRecords } from './packing.ts';
import type { RetentionLimits, RetentionStep } from './retention.ts';
import type { PartitionRead } from './topic-file.ts';

export interface StoreConfig {
  readonly directory: string;
  readonly topics: readonly TopicSpec[];
  readonly lockTimeoutMs: number;
  readonly maxTopicBytes: number;
  /** Bounds of the time between two looks for what other processes appended: short while there is traffic, long when idle. */
  readonly pollMinMs: number;
  readonly pollMaxMs: number;
}

export interface StoreOperations {
  append(topic: string, batches: readonly PackedRecords[], nowMs: number): Position[][];
  read(topic: string, partition: number, fromOffset: number, maxBytes: number, maxRecords: number): PartitionRead;
  bounds(topic: string): PartitionBounds[];
  retain(topic: string, nowMs: number, limits: RetentionLimits): RetentionStep;
  /** From now on, appends to these topics by anybody, and changes to groups where asked, are told as notices. */
  watch(topics: readonly string[], groups: boolean): void;
  join(member: MemberSpec): void;
  heartbeat(memberId: string, group: string): OwnedPartition[] | null;
  owned(memberId: string, group: string): OwnedPartition[] | null;
  release(memberId: string, group: string, partitions: readonly HeldUnder[]): void;
  leave(memberId: string, group: string): void;
  commit(memberId: string, group: string, partition: HeldUnder, nextOffset: number): boolean;
  committed(group: string, topic: string): (number | null)[];
  close(): void;
}

export type StoreOperation = keyof StoreOperations;

export interface StoreRequest {
  readonly id: number;
  readonly operation: StoreOperation;
  readonly values: readonly unknown[];
}

export interface StoreFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly next: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

export type StoreMessage =
  | { readonly kind: 'opened' }
  | { readonly kind: 'open-failed'; readonly failure: StoreFailure }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly failure: StoreFailure }
  | StoreNotice;

export type StoreNotice =
  | { readonly kind: 'appended'; readonly topic: string; readonly bounds: readonly PartitionBounds[] }
  | { readonly kind: 'groups-changed' };
