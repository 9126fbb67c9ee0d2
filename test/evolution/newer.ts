/** Messages as a newer release might write them: fields, kinds and bodies that this one has no names for, encoded by hand. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Field numbers that no message of ours has. */
const newNumber = 900;
const newMessage = 901;

/** With a number, a message and a list of a newer release behind its known fields. */
export function withNewFields(message: Uint8Array): Uint8Array {
  const writer = new BinaryWriter().raw(message);
  writer.tag(newNumber, WireType.Varint).uint64(2n ** 63n);
  writer.tag(newMessage, WireType.LengthDelimited).bytes(newBody());
  for (const each of ['a', 'b']) writer.tag(newMessage + 1, WireType.LengthDelimited).string(each);
  return writer.finish();
}

/** One message in another: `field` of the outer one, whose other fields are `rest`. */
export function nested(field: number, inner: Uint8Array, rest: Uint8Array = new Uint8Array()): Uint8Array {
  return new BinaryWriter().raw(rest).tag(field, WireType.LengthDelimited).bytes(inner).finish();
}

/** The body of a kind that this release does not know. */
export function newBody(): Uint8Array {
  return new BinaryWriter()
    .tag(1, WireType.LengthDelimited)
    .string('what it says')
    .tag(2, WireType.Varint)
    .uint32(7)
    .finish();
}

/** A message with nothing but a body of a new kind, as a new member of its oneof. */
export function withNewBody(rest: Uint8Array = new Uint8Array()): Uint8Array {
  return nested(newMessage, newBody(), rest);
}
