/** From the bytes of a body to one `AgentPost`, in either of the two forms that are taken. */
import { type DescMessage, fromBinary, fromJson, type JsonValue } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { MeshwardError } from '#mesh/errors.ts';
import { type AgentPost, AgentPostSchema, PeerEventSchema } from '#mesh/generated/events_pb.js';
import { maxManifestsPerBatch } from '#mesh/limits.ts';

export type PostForm = 'protobuf' | 'json';

/** Largest peer event, in bytes: a heartbeat has 150, an announcement with all its domains a few thousand. */
export const maxPeerEventBytes = 64 * 1024;

/** The form that a content type names, or null where it is neither. */
export function postFormOf(contentType: string): PostForm | null {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase();
  if (type === 'application/x-protobuf') return 'protobuf';
  return type === 'application/json' ? 'json' : null;
}

/**
 * Fields that this release does not know are passed over, in both forms: what was not checked goes no further.
 * @throws MeshwardError `batch-malformed`, or `event-unknown` where all that the post says is in such a field.
 */
export function readPost(body: Uint8Array, form: PostForm): AgentPost {
  try {
    if (form === 'protobuf') {
      checkSizes(body);
      const post = fromBinary(AgentPostSchema, body, { readUnknownFields: false });
      if (saysNothing(post) && namesUnknown(body)) throw eventUnknown();
      return post;
    }
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as JsonValue;
    checkJsonSizes(value, body.length);
    const post = fromJson(AgentPostSchema, value, { ignoreUnknownFields: true });
    if (saysNothing(post) && namesUnknownInJson(value)) throw eventUnknown();
    return post;
  } catch (error) {
    if (error instanceof MeshwardError) throw error;
    throw malformed(`it is not an AgentPost in ${form === 'json' ? 'proto3 JSON' : 'Protobuf'}`, error);
  }
}

export function malformed(reason: string, cause?: unknown): MeshwardError {
  return new MeshwardError('batch-malformed', `the post was refused: ${reason}`, {
    next: 'Update the agent; the dead letter with this reason holds what it sent.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function eventUnknown(): MeshwardError {
  return new MeshwardError('event-unknown', 'the post was refused: it says what only a newer release understands', {
    next: 'Update the collector; the dead letter with this code holds what was said (`meshward dead-letters list`).',
  });
}

function saysNothing({ body }: AgentPost): boolean {
  return body.case === undefined || (body.case === 'event' && body.value.body.case === undefined);
}

const eventField = AgentPostSchema.field.event.number;
const knownEventFields: ReadonlySet<number> = new Set(PeerEventSchema.fields.map(({ number }) => number));
const knownNames = (schema: DescMessage): ReadonlySet<string> =>
  new Set(schema.fields.flatMap(({ name, jsonName }) => [name, jsonName]));
const knownEventNames = knownNames(PeerEventSchema);
const knownPostNames = knownNames(AgentPostSchema);

/** Kinds are messages. Looks at the fields' numbers alone: a post may have a million of them. */
function namesUnknown(body: Uint8Array): boolean {
  const reader = new BinaryReader(body);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type !== WireType.LengthDelimited) {
      reader.skip(type, field);
      continue;
    }
    if (field !== eventField) return true;
    const end = reader.uint32() + reader.pos;
    while (reader.pos < end) {
      const [inner, innerType] = reader.tag();
      if (innerType === WireType.LengthDelimited && !knownEventFields.has(inner)) return true;
      reader.skip(innerType, inner);
    }
  }
  return false;
}

function namesUnknownInJson(value: JsonValue): boolean {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  if (Object.keys(value).some((name) => !knownPostNames.has(name))) return true;
  const { event } = value as { event?: JsonValue };
  if (event === undefined || event === null || typeof event !== 'object' || Array.isArray(event)) return false;
  return Object.keys(event).some((name) => !knownEventNames.has(name));
}

/**
 * A manifest may take two bytes on the wire and hundreds as an object, and so may an entry of a map: they are counted
 * before anything is made of them, so that 2 MiB of body stay a few MiB of memory.
 */
function checkSizes(body: Uint8Array): void {
  const reader = new BinaryReader(body);
  let manifests = 0;
  let eventBytes = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === WireType.LengthDelimited) {
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end) {
        const [inner, innerType] = reader.tag();
        if (inner === 8) manifests += 1;
        reader.skip(innerType, inner);
      }
      if (manifests > maxManifestsPerBatch) throw malformed(`it has more than ${maxManifestsPerBatch} manifests`);
    } else {
      const start = reader.pos;
      reader.skip(type, field);
      if (field === 2) eventBytes += reader.pos - start;
      if (eventBytes > maxPeerEventBytes) throw malformed(`its event has more than ${maxPeerEventBytes} bytes`);
    }
  }
}

function checkJsonSizes(value: JsonValue, bodyBytes: number): void {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
  const { batch, event } = value as { batch?: JsonValue; event?: JsonValue };
  if (event !== undefined && bodyBytes > 2 * maxPeerEventBytes) throw malformed('its event is too large');
  if (batch === undefined || batch === null || typeof batch !== 'object' || Array.isArray(batch)) return;
  const { manifests } = batch as { manifests?: JsonValue };
  if (Array.isArray(manifests) && manifests.length > maxManifestsPerBatch) {
    throw malformed(`it has more than ${maxManifestsPerBatch} manifests`);
  }
}
