/** Health as the native core tells it, in columns, as health of files. */

import type { FileRegistration } from '#mesh/events/share-batch.ts';
import { gradeOf, marginOf } from '#mesh/grade.ts';
import { type StorageIndex, storageIndexBytes, storageIndexFromBytes } from '#mesh/storage-index.ts';
import { type ChangedFileColumns, healthFigures, noTolerance } from '#native/share-map.ts';
import type { ClassOfFiles, FileClasses } from './file-classes.ts';
import type { PeerNumbering } from './peer-numbering.ts';
import type { FileHealth } from './share-map.ts';

export class NativeHealth {
  readonly #classes: FileClasses;
  readonly #peers: PeerNumbering;

  constructor(classes: FileClasses, peers: PeerNumbering) {
    this.#classes = classes;
    this.#peers = peers;
  }

  all(columns: ChangedFileColumns): readonly FileHealth[] {
    return Array.from({ length: columns.count }, (_, i) => this.of(columns, i));
  }

  *each(columns: ChangedFileColumns): Generator<FileHealth, void> {
    for (let i = 0; i < columns.count; i++) yield this.of(columns, i);
  }

  of(columns: ChangedFileColumns, i: number): FileHealth {
    const ofClass = this.#classes.get(columns.classes[i] as number);
    const index = storageIndexFromBytes(columns.storageIndexes, i * storageIndexBytes);
    const uebHash = columns.uebHashes.slice(i * 32, i * 32 + 32);
    const { manifest, tag } = registrationOf(ofClass, index, uebHash, columns.sizesBytes[i] as number);
    const figure = (name: Exclude<keyof typeof healthFigures, 'each'>): number =>
      columns.figures[i * healthFigures.each + healthFigures[name]] as number;
    const available = figure('available');
    const kinds = columns.tolerance.length / columns.count;
    const toleranceDomains: Record<string, number> = {};
    for (let kind = 0; kind < kinds; kind++) {
      const tolerance = columns.tolerance[i * kinds + kind] as number;
      if (tolerance !== noTolerance) toleranceDomains[this.#peers.kindName(kind)] = tolerance;
    }
    return {
      storageIndex: index,
      manifest,
      tag,
      policy: ofClass.policy,
      available,
      counted: figure('counted'),
      retained: figure('retained'),
      corrupt: figure('corrupt'),
      margin: marginOf(available, manifest.k),
      grade: gradeOf(available, ofClass.policy),
      settling: figure('settling') === 1,
      distinctPeers: figure('distinctPeers'),
      happiness: figure('happiness'),
      tolerancePeers: figure('tolerancePeers'),
      toleranceDomains,
    };
  }
}

export function registrationOf(
  { k, n, tag, origin }: ClassOfFiles,
  storageIndex: StorageIndex,
  uebHash: Uint8Array,
  sizeBytes: number,
): FileRegistration {
  return { manifest: { storageIndex, uebHash, k, n, sizeBytes }, origin, tag };
}
