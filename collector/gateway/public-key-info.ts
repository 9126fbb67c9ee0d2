/**
 * The public key of a certificate, as the bytes that a peer id is the hash of (DER SubjectPublicKeyInfo), cut from where
 * they stand. Node's own way goes over two key objects and a new encoding, which costs a fifth of a whole TLS handshake.
 */

/** Of a P-256 key in its one usual encoding: named curve, uncompressed point. The 64 bytes of the point follow. */
const p256Prefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
const p256Bytes = p256Prefix.length + 64;

const sequence = 0x30;
const integer = 0x02;
const explicitVersion = 0xa0;

/**
 * @param certificate DER (RFC 5280, section 4.1) that TLS has parsed already.
 * @returns null where the key is not P-256 in that encoding, or the bytes are no such certificate: then ask OpenSSL.
 */
export function publicKeyInfoOf(certificate: Uint8Array): Uint8Array | null {
  const whole = elementAt(certificate, 0);
  if (whole?.tag !== sequence) return null;
  const signed = elementAt(certificate, whole.contentStart);
  if (signed?.tag !== sequence) return null;
  let field = elementAt(certificate, signed.contentStart);
  if (field?.tag === explicitVersion) field = elementAt(certificate, field.end);
  if (field?.tag !== integer) return null;
  // Serial number, then algorithm, issuer, validity and subject, each a sequence; then the key.
  for (let skipped = 0; skipped < 5; skipped++) {
    field = elementAt(certificate, field.end);
    if (field?.tag !== sequence) return null;
  }
  const info = certificate.subarray(field.start, field.end);
  if (info.length !== p256Bytes || Buffer.compare(info.subarray(0, p256Prefix.length), p256Prefix) !== 0) return null;
  return info;
}

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

/** Null where it does not fit into the bytes. */
function elementAt(bytes: Uint8Array, start: number): Element | null {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined) return null;
  let contentStart = start + 2;
  let length = first;
  if (first >= 0x80) {
    const lengthBytes = first - 0x80;
    if (lengthBytes === 0 || lengthBytes > 3) return null;
    length = 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[contentStart + i] ?? 0);
    contentStart += lengthBytes;
  }
  const end = contentStart + length;
  return end > bytes.length ? null : { tag, start, contentStart, end };
}
