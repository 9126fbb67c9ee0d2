/** Dead letters hold what anybody sent, to the wrong place too: what may be a secret or move a terminal is never shown. */
import { redactCaps, redactUserInfo } from '#mesh/redact.ts';

const secretNames = /token|secret|swissnum|passw|nurl|private|^(?:api)?key$/i;
const notPrintable = /[\p{Cc}\p{Bidi_Control}]/gu;

/** Without caps, NURLs, tokens, PEM keys and passwords in addresses. */
export function withoutSecrets(text: string): string {
  return redactUserInfo(redactCaps(text))
    .replaceAll(/(pb:\/\/)[^\s"'`<>]+/gi, '$1(secret)')
    .replaceAll(/(mwt_)[A-Za-z0-9_-]+/g, '$1(secret)')
    .replaceAll(/-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, '(secret)');
}

/** As one line that a terminal takes as it is. */
export function showable(text: string): string {
  return withoutSecrets(text.toWellFormed()).replaceAll(
    notPrintable,
    (char) => `\\u${(char.codePointAt(0) as number).toString(16).padStart(4, '0')}`,
  );
}

/** The same for every text in a value that was JSON; what stands under a name like `token` is left out whole. */
export function showableValue(value: unknown): unknown {
  if (typeof value === 'string') return showable(value);
  if (Array.isArray(value)) return value.map(showableValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      showable(name),
      secretNames.test(name) ? '(secret)' : showableValue(each),
    ]),
  );
}

/** Bytes in hexadecimal, with `*` in the place of what reads as a secret. */
export function showableHex(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1');
  const clean = withoutSecrets(text);
  if (clean === text) return Buffer.from(bytes).toString('hex');
  return clean
    .split(/(\(secret\))/)
    .map((part) => (part === '(secret)' ? '**' : Buffer.from(part, 'latin1').toString('hex')))
    .join('');
}
