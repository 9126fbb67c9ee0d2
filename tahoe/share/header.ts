/** The share header: version, sizes and offsets at the start of the share data (FORMAT section 4). */
import {
  type ShareLayout,
  type ShareOffsets,
  type ShareVersion,
  shareHeaderBytes,
  uebLengthFieldBytes,
} from './layout.ts';
import { shareError } from './share-errors.ts';

export interface ShareHeader {
  readonly version: ShareVersion;
  readonly blockBytes: number;
  readonly dataBytes: number;
  readonly offsets: ShareOffsets;
}

/**
 * The header's numbers are not authenticated: they are checked to be in order and inside the data here, and against
 * the layout that follows from the UEB ({@link checkHeader}) before anything but the UEB is read by them.
 *
 * @param head the start of the share data: 0x44 bytes, or all of it where it is shorter.
 * @param lengthBytes length of the share data, or null where the source does not tell it.
 */
export function parseShareHeader(head: Uint8Array, lengthBytes: number | null): ShareHeader {
  if (head.length < 4) throw shareError('share-truncated', 'the share ends inside its header');
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const version = view.getUint32(0);
  if (version !== 1 && version !== 2) {
    throw shareError('share-malformed', `share version ${version} is neither 1 nor 2`);
  }
  if (head.length < shareHeaderBytes[version]) throw shareError('share-truncated', 'the share ends inside its header');
  const field = (index: number): number =>
    version === 1 ? view.getUint32(4 + 4 * index) : safeNumber(view.getBigUint64(4 + 8 * index));
  const header: ShareHeader = {
    version,
    blockBytes: field(0),
    dataBytes: field(1),
    offsets: {
      blocks: field(2),
      plaintextTree: field(3),
      crypttextTree: field(4),
      blockTree: field(5),
      chain: field(6),
      ueb: field(7),
    },
  };
  checkOrder(header);
  if (lengthBytes !== null && header.offsets.ueb + uebLengthFieldBytes[version] > lengthBytes) {
    throw shareError('share-truncated', `the share ends at ${lengthBytes}, before its UEB at ${header.offsets.ueb}`);
  }
  return header;
}

/** @throws MeshwardError `share-malformed` where the header disagrees with the layout that the UEB demands. */
export function checkHeader(header: ShareHeader, layout: ShareLayout): void {
  const fields: [string, number, number][] = [
    ['block size', header.blockBytes, layout.blockBytes],
    ['data size', header.dataBytes, layout.dataBytes],
  ];
  for (const name of Object.keys(layout.offsets) as (keyof ShareOffsets)[]) {
    fields.push([`offset of ${name}`, header.offsets[name], layout.offsets[name]]);
  }
  for (const [name, found, expected] of fields) {
    if (found !== expected) {
      throw shareError('share-malformed', `the header's ${name} is ${found}, the file's numbers demand ${expected}`);
    }
  }
}

export function writeShareHeader(layout: ShareLayout): Uint8Array {
  const { version, offsets } = layout;
  const bytes = new Uint8Array(shareHeaderBytes[version]);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, version);
  const fields = [
    layout.blockBytes,
    layout.dataBytes,
    offsets.blocks,
    offsets.plaintextTree,
    offsets.crypttextTree,
    offsets.blockTree,
    offsets.chain,
    offsets.ueb,
  ];
  fields.forEach((value, index) => {
    if (version === 1) view.setUint32(4 + 4 * index, value);
    else view.setBigUint64(4 + 8 * index, BigInt(value));
  });
  return bytes;
}

/** The UEB length field at the start of `bytes`. */
export function parseUebLength(bytes: Uint8Array, version: ShareVersion): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < uebLengthFieldBytes[version]) {
    throw shareError('share-truncated', 'the share ends before the length of its UEB');
  }
  return version === 1 ? view.getUint32(0) : safeNumber(view.getBigUint64(0));
}

export function writeUebLength(version: ShareVersion, uebBytes: number): Uint8Array {
  const bytes = new Uint8Array(uebLengthFieldBytes[version]);
  new DataView(bytes.buffer).setUint32(bytes.length - 4, uebBytes);
  return bytes;
}

function checkOrder(header: ShareHeader): void {
  const { blocks, plaintextTree, crypttextTree, blockTree, chain, ueb } = header.offsets;
  const ascending = [shareHeaderBytes[header.version], blocks, plaintextTree, crypttextTree, blockTree, chain, ueb];
  for (let i = 1; i < ascending.length; i++) {
    if ((ascending[i] as number) < (ascending[i - 1] as number)) {
      throw shareError('share-malformed', 'the header puts the parts of the share in an impossible order');
    }
  }
}

function safeNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw shareError('share-malformed', `a field of ${value} bytes is beyond any share`);
  }
  return Number(value);
}
