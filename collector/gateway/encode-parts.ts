/**
 * A batch of a peer as records of `share-events`, one for each partition that it has something to say to.
 *
 * Written by hand, since this is where a collector spends its time: a batch of a hundred events falls into some fifty
 * partitions, and fifty messages made and encoded as objects cost ten times the rest of the post. What does not differ
 * between the parts is encoded once; the columns are sorted by partition (a counting sort) straight to where they stand in
 * the records, all of which lie in one piece of memory. The bytes are those that `toBinary` would give for the parts.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { type FileManifest, FileManifestSchema, type ShareBatch, ShareBatchSchema } from '#mesh/generated/events_pb.js';
import { partitionOfStorageIndex, storageIndexBytes } from '#mesh/storage-index.ts';

export interface EncodedPart {
  readonly partition: number;
  /** A `ShareEventsRecord`. */
  readonly value: Uint8Array;
}

/** Tags of fields that are delimited by their length: `ShareEventsRecord.batch`, then those of `ShareBatch`. */
const recordBatchTag = 0x0a;
const indexesTag = 0x2a;
const numbersTag = 0x32;
const kindsTag = 0x3a;
const manifestTag = 0x42;
const deletedTag = 0x4a;

const wordsOfIndex = storageIndexBytes / 4;

/** Where a part's columns go. */
interface Part {
  readonly partition: number;
  readonly events: number;
  readonly manifests: readonly Uint8Array[];
  readonly deletedFiles: readonly number[];
  readonly batchBytes: number;
}

/**
 * The parts by partition; events keep their order inside a partition. Each part keeps the batch's peer, incarnation and
 * sequence, so that a batch which was appended in part only can be sent again as a whole. An inventory mark goes to every
 * partition: what an inventory did not name is found partition by partition.
 * @param batch checked: its columns have one length.
 */
export function encodeParts(batch: ShareBatch, partitionCount: number): EncodedPart[] {
  const partitions = partitionsOf(batch.storageIndexes, partitionCount);
  const counts = new Uint32Array(partitionCount);
  for (let i = 0; i < partitions.length; i++) {
    const partition = partitions[i] as number;
    counts[partition] = (counts[partition] as number) + 1;
  }
  const { peerId, incarnation, sequence, observedAtMs, inventory } = batch;
  const head = toBinary(ShareBatchSchema, create(ShareBatchSchema, { peerId, incarnation, sequence, observedAtMs }));
  const tail = inventory === undefined ? noBytes : toBinary(ShareBatchSchema, create(ShareBatchSchema, { inventory }));
  const manifests = manifestsByPartition(batch.manifests, partitionCount);
  const deleted = deletedByPartition(batch.deletedFiles, partitionCount);
  const parts: Part[] = [];
  for (let partition = 0; partition < partitionCount; partition++) {
    const events = counts[partition] as number;
    const own = manifests.get(partition) ?? noManifests;
    const files = deleted.get(partition) ?? noFiles;
    if (events === 0 && own.length === 0 && files.length === 0 && inventory === undefined) continue;
    let batchBytes = head.length + tail.length + delimitedBytes(files.length * storageIndexBytes);
    batchBytes += delimitedBytes(events * storageIndexBytes) + 2 * delimitedBytes(events);
    for (const manifest of own) batchBytes += delimitedBytes(manifest.length);
    parts.push({ partition, events, manifests: own, deletedFiles: files, batchBytes });
  }
  return writeParts(batch, partitions, partitionCount, parts, head, tail);
}

const noBytes = new Uint8Array();
const noManifests: readonly Uint8Array[] = [];
const noFiles: readonly number[] = [];

function writeParts(
  batch: ShareBatch,
  partitions: Uint16Array,
  partitionCount: number,
  parts: readonly Part[],
  head: Uint8Array,
  tail: Uint8Array,
): EncodedPart[] {
  // Storage indexes move as words of four bytes, so each part begins where its column of them falls on a whole word.
  const alignmentBytes = 3;
  let capacity = 0;
  for (const { batchBytes } of parts) capacity += delimitedBytes(batchBytes) + alignmentBytes;
  const bytes = new Uint8Array((capacity + 3) & ~3);
  const words = new Uint32Array(bytes.buffer);
  const nextWord = new Uint32Array(partitionCount);
  const nextNumber = new Uint32Array(partitionCount);
  const nextKind = new Uint32Array(partitionCount);
  const encoded: EncodedPart[] = [];
  let end = 0;
  for (const { partition, events, manifests, deletedFiles, batchBytes } of parts) {
    const beforeColumn = 1 + varintBytes(batchBytes) + head.length + 1 + varintBytes(events * storageIndexBytes);
    const start = end + (-(end + beforeColumn) & 3);
    let at = writeTag(bytes, start, recordBatchTag, batchBytes);
    bytes.set(head, at);
    at += head.length;
    if (events > 0) {
      at = writeTag(bytes, at, indexesTag, events * storageIndexBytes);
      nextWord[partition] = at / 4;
      at = writeTag(bytes, at + events * storageIndexBytes, numbersTag, events);
      nextNumber[partition] = at;
      at = writeTag(bytes, at + events, kindsTag, events);
      nextKind[partition] = at;
      at += events;
    }
    for (const manifest of manifests) {
      at = writeTag(bytes, at, manifestTag, manifest.length);
      bytes.set(manifest, at);
      at += manifest.length;
    }
    if (deletedFiles.length > 0) {
      at = writeTag(bytes, at, deletedTag, deletedFiles.length * storageIndexBytes);
      for (const file of deletedFiles) {
        bytes.set(batch.deletedFiles.subarray(file, file + storageIndexBytes), at);
        at += storageIndexBytes;
      }
    }
    bytes.set(tail, at);
    end = at + tail.length;
    encoded.push({ partition, value: bytes.subarray(start, end) });
  }
  fillColumns(batch, partitions, { bytes, words, nextWord, nextNumber, nextKind });
  return encoded;
}

interface Columns {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly nextWord: Uint32Array;
  readonly nextNumber: Uint32Array;
  readonly nextKind: Uint32Array;
}

function fillColumns(batch: ShareBatch, partitions: Uint16Array, columns: Columns): void {
  const { bytes, words, nextWord, nextNumber, nextKind } = columns;
  const { shareNumbers, kinds } = batch;
  const source = alignedWords(batch.storageIndexes);
  for (let i = 0; i < partitions.length; i++) {
    const partition = partitions[i] as number;
    const word = nextWord[partition] as number;
    const from = i * wordsOfIndex;
    words[word] = source[from] as number;
    words[word + 1] = source[from + 1] as number;
    words[word + 2] = source[from + 2] as number;
    words[word + 3] = source[from + 3] as number;
    nextWord[partition] = word + wordsOfIndex;
    const number = nextNumber[partition] as number;
    bytes[number] = shareNumbers[i] as number;
    nextNumber[partition] = number + 1;
    const kind = nextKind[partition] as number;
    bytes[kind] = kinds[i] as number;
    nextKind[partition] = kind + 1;
  }
}

/** A column of a body stands anywhere in it; where that is on no whole word it is copied. */
function alignedWords(bytes: Uint8Array): Uint32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
}

/** As `partitionOfStorageIndex` says of each, in one pass. */
function partitionsOf(storageIndexes: Uint8Array, partitionCount: number): Uint16Array {
  const view = new DataView(storageIndexes.buffer, storageIndexes.byteOffset, storageIndexes.length);
  const partitions = new Uint16Array(storageIndexes.length / storageIndexBytes);
  for (let i = 0; i < partitions.length; i++) partitions[i] = view.getUint32(i * storageIndexBytes) % partitionCount;
  return partitions;
}

function manifestsByPartition(manifests: readonly FileManifest[], partitionCount: number): Map<number, Uint8Array[]> {
  const found = new Map<number, Uint8Array[]>();
  for (const manifest of manifests) {
    const partition = partitionOfStorageIndex(manifest.storageIndex, 0, partitionCount);
    put(found, partition, toBinary(FileManifestSchema, manifest));
  }
  return found;
}

/** Where each deleted file's storage index begins in its column. */
function deletedByPartition(deletedFiles: Uint8Array, partitionCount: number): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (let at = 0; at < deletedFiles.length; at += storageIndexBytes)
    put(found, partitionOfStorageIndex(deletedFiles, at, partitionCount), at);
  return found;
}

function put<T>(lists: Map<number, T[]>, partition: number, value: T): void {
  const list = lists.get(partition);
  if (list === undefined) lists.set(partition, [value]);
  else list.push(value);
}

/** Bytes of a field of so many bytes, with its tag and length; an empty one is left out. */
function delimitedBytes(length: number): number {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

/** @returns where the field's content begins. */
function writeTag(bytes: Uint8Array, at: number, tag: number, length: number): number {
  bytes[at] = tag;
  let next = at + 1;
  let rest = length;
  for (; rest > 0x7f; rest >>>= 7) bytes[next++] = (rest & 0x7f) | 0x80;
  bytes[next++] = rest;
  return next;
}
