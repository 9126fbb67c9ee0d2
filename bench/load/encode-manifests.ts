/** What is told of files before their shares count: the part of a batch that holds their manifests. */
import { create, toBinary } from '@bufbuild/protobuf';
import { FileManifestSchema, ManifestOrigin, ShareBatchSchema } from '#mesh/generated/events_pb.js';
import { type MeshLayout, storageIndexOf } from './mesh-layout.ts';

export function encodeManifests({ k, n }: MeshLayout, files: readonly number[]): Uint8Array {
  const manifests = files.map((file) =>
    create(FileManifestSchema, {
      storageIndex: storageIndexOf(file),
      uebHash: new Uint8Array(32).fill(file & 0xff),
      k,
      n,
      sizeBytes: 1_000_000n,
      origin: ManifestOrigin.DERIVED,
    }),
  );
  return toBinary(ShareBatchSchema, create(ShareBatchSchema, { manifests }));
}
