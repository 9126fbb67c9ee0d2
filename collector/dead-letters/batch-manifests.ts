import { fromBinary } from '@bufbuild/protobuf';
import { type FileManifest, ShareEventsRecordSchema } from '#mesh/generated/events_pb.js';

/** The manifests in a record of `share-events` that was read before. */
export function readBatchManifests(value: Uint8Array): readonly FileManifest[] {
  const { body } = fromBinary(ShareEventsRecordSchema, value);
  return body.case === 'batch' ? body.value.manifests : [];
}
