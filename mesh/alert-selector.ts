/**
 * Which alerts a silence or a sink is for: `MeshwardDomainLost,zone=eu-*,severity!=warning`. Each part must fit; a bare word is the
 * name of an alert, with or without `Meshward`; `*` stands for any text.
 */
import { MeshwardError } from './errors.ts';

interface Matcher {
  readonly label: string;
  readonly isWanted: boolean;
  readonly pattern: string;
}

export interface AlertSelector {
  /** As it was written. */
  readonly text: string;
  /** @param labels of an alert, its name as `alert` and its severity among them. */
  fits(labels: Readonly<Record<string, string>>): boolean;
}

const alertLabel = 'alert';
const maxParts = 16;
const partPattern = /^(?:(?<label>[a-z][a-z0-9_]{0,62})(?<sign>!?=))?(?<value>[^,=!]{1,200})$/i;

/** @throws MeshwardError `bad-input`. */
export function parseAlertSelector(text: string): AlertSelector {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > maxParts) throw unreadable(`it has more than ${maxParts} parts`);
  const matchers = parts.map(parsePart);
  return { text, fits: (labels) => matchers.every((matcher) => fitsOne(matcher, labels)) };
}

function parsePart(part: string): Matcher {
  const { label, sign, value } = partPattern.exec(part)?.groups ?? {};
  if (value === undefined) throw unreadable(`"${part.slice(0, 40)}" is no part of one`);
  return { label: label ?? alertLabel, isWanted: sign !== '!=', pattern: value };
}

function fitsOne({ label, isWanted, pattern }: Matcher, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[label] ?? '';
  const fits = fitsPattern(pattern, value) || (label === alertLabel && fitsPattern(`Meshward${pattern}`, value));
  return fits === isWanted;
}

/** `*` in the pattern fits any text; by hand, since a regular expression of a stranger's text may take for ever. */
function fitsPattern(pattern: string, value: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return value === pattern;
  const last = rest.pop() as string;
  if (!value.startsWith(first) || !value.endsWith(last) || value.length < first.length + last.length) return false;
  let from = first.length;
  for (const piece of rest) {
    const at = value.indexOf(piece, from);
    if (at === -1 || at + piece.length > value.length - last.length) return false;
    from = at + piece.length;
  }
  return true;
}

function unreadable(why: string): MeshwardError {
  return new MeshwardError('bad-input', `the selector cannot be read: ${why}`, {
    next: 'Write NAME=VALUE or NAME!=VALUE with commas between them, such as MeshwardDomainLost,zone=eu-*; `meshward alerts` shows the labels.',
  });
}
