/** A thread of the store: holds the files, so that waiting for disks and locks never stops the service's event loop. */
import { parentPort, workerData } from 'node:worker_threads';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { GroupFile } from './group-file.ts';
import { ownIdentity } from './process-identity.ts';
import { retentionStep } from './retention.ts';
import type {
  StoreConfig,
  StoreFailure,
  StoreMessage,
  StoreNotice,
  StoreOperations,
  StoreRequest,
} from './store-protocol.ts';
import { TopicFile } from './topic-file.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the start of a worker thread');
const config = workerData as StoreConfig;

function send(message: StoreMessage, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}

function failureOf(error: unknown): StoreFailure {
  if (error instanceof MeshwardError) {
    const { code, message, next, retryable, details } = error;
    return { code, message, next, retryable, details };
  }
  const message = `the log's store failed: ${describeError(error)}`;
  return { code: 'internal', message, next: 'Report this with the log of the service.', retryable: false, details: {} };
}

class Store {
  readonly #topics = new Map<string, TopicFile>();
  readonly #groups: GroupFile;
  readonly #watched = new Map<string, number>();
  #watchesGroups = false;
  #groupsVersion = 0;
  #pollMs = config.pollMinMs;
  #pollTimer: NodeJS.Timeout | undefined;

  constructor() {
    const { directory, lockTimeoutMs, maxTopicBytes } = config;
    try {
      for (const spec of config.topics) {
        this.#topics.set(
          spec.name,
          new TopicFile(directory, spec, { lockTimeoutMs, synchronous: 'FULL', maxFileBytes: maxTopicBytes }),
        );
      }
      // The machine's monotonic clock: every process here reads the same, and no correction of the time of day moves it.
      const nowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;
      this.#groups = new GroupFile(directory, { lockTimeoutMs, process: ownIdentity(), nowMs });
    } catch (error) {
      for (const file of this.#topics.values()) file.close();
      throw error;
    }
  }

  readonly operations: StoreOperations = {
    append: (topic, batches, nowMs) => this.#topic(topic).append(batches, nowMs),
    read: (topic, partition, fromOffset, maxBytes, maxRecords) =>
      this.#topic(topic).read(partition, fromOffset, maxBytes, maxRecords),
    bounds: (topic) => this.#topic(topic).bounds(),
    retain: (topic, nowMs, limits) => retentionStep(this.#topic(topic), nowMs, limits),
    watch: (topics, groups) => this.#watch(topics, groups),
    join: (member) => this.#groups.join(member),
    heartbeat: (memberId, group) => this.#groups.heartbeat(memberId, group),
    owned: (memberId, group) => this.#groups.owned(memberId, group),
    release: (memberId, group, partitions) => this.#groups.release(memberId, group, partitions),
    leave: (memberId, group) => this.#groups.leave(memberId, group),
    commit: (memberId, group, partition, nextOffset) => this.#groups.commit(memberId, group, partition, nextOffset),
    committed: (group, topic) => this.#groups.committed(group, topic, this.#topic(topic).spec.partitions),
    close: () => this.#close(),
  };

  #topic(name: string): TopicFile {
    const file = this.#topics.get(name);
    if (file === undefined) throw new Error(`topic ${name} is not open`);
    return file;
  }

  #watch(topics: readonly string[], groups: boolean): void {
    for (const name of this.#watched.keys()) {
      if (!topics.includes(name)) this.#watched.delete(name);
    }
    // Zero is no version: the first look tells how things stand.
    for (const name of topics) this.#watched.set(name, this.#watched.get(name) ?? 0);
    this.#watchesGroups = groups;
    this.#pollMs = config.pollMinMs;
    this.#poll();
  }

  #poll(): void {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = undefined;
    if (this.#watched.size === 0 && !this.#watchesGroups) return;
    this.#lookForGroupChanges();
    // Heartbeats change the group file too, so only appends make the next look come sooner.
    this.#pollMs = this.#lookForAppends() ? config.pollMinMs : Math.min(config.pollMaxMs, this.#pollMs * 1.5);
    this.#pollTimer = setTimeout(() => this.#poll(), this.#pollMs);
  }

  #lookForAppends(): boolean {
    let changed = false;
    for (const [topic, seen] of this.#watched) {
      // A file that cannot be read now is read at the next look; reads of it tell their failure to who asked.
      const notice = this.#attempt((): StoreNotice | null => {
        const version = this.#topic(topic).database.dataVersion();
        if (version === seen) return null;
        const bounds = this.#topic(topic).bounds();
        this.#watched.set(topic, version);
        return { kind: 'appended', topic, bounds };
      });
      if (notice === null) continue;
      send(notice);
      changed = true;
    }
    return changed;
  }

  #lookForGroupChanges(): void {
    if (!this.#watchesGroups) return;
    const version = this.#attempt(() => this.#groups.dataVersion());
    if (version === null || version === this.#groupsVersion) return;
    this.#groupsVersion = version;
    send({ kind: 'groups-changed' });
  }

  #attempt<T>(look: () => T): T | null {
    try {
      return look();
    } catch {
      return null;
    }
  }

  #close(): void {
    clearTimeout(this.#pollTimer);
    for (const file of this.#topics.values()) file.close();
    this.#groups.close();
  }
}

function serve(store: Store): void {
  send({ kind: 'opened' });
  port?.on('message', ({ id, operation, values }: StoreRequest) => {
    try {
      const run = store.operations[operation] as (...values: readonly unknown[]) => unknown;
      const value = run(...values);
      const bytes = (value as { packed?: { bytes: Uint8Array<ArrayBuffer> } } | null | undefined)?.packed?.bytes;
      send({ kind: 'answer', id, value }, bytes === undefined ? [] : [bytes.buffer]);
      if (operation === 'close') port?.close();
    } catch (error) {
      send({ kind: 'failure', id, failure: failureOf(error) });
    }
  });
}

try {
  serve(new Store());
} catch (error) {
  send({ kind: 'open-failed', failure: failureOf(error) });
  port.close();
}
