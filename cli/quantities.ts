/** Durations, sizes and counts as people write them on a command line. */
import { MeshwardError } from '#mesh/errors.ts';

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const byteUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** @returns milliseconds. @throws MeshwardError `bad-input`. */
export function parseDuration(text: string, what: string): number {
  return parse(text, durationUnits, null, what, 'Write a number and a unit: ms, s, min, h or d, such as 24h.');
}

/** @returns bytes; a number without a unit is bytes. @throws MeshwardError `bad-input`. */
export function parseBytes(text: string, what: string): number {
  return parse(text, byteUnits, 1, what, 'Write a number of bytes, or one with a unit such as 4MiB or 100MB.');
}

/** @throws MeshwardError `bad-input` outside `least … most`. */
export function parseCount(text: string, what: string, least: number, most: number): number {
  if (/^\d{1,15}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
  throw new MeshwardError('bad-input', `${what} is not a whole number from ${least} to ${most}`, {
    next: `Give a whole number from ${least} to ${most}.`,
  });
}

function parse(
  text: string,
  units: Readonly<Record<string, number>>,
  bare: number | null,
  what: string,
  next: string,
): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s?([A-Za-z]*)$/.exec(text.trim());
  const unit = match?.[2] === '' ? bare : units[match?.[2] ?? ''];
  const value = Math.round(Number(match?.[1]) * (unit ?? Number.NaN));
  if (match !== null && Number.isSafeInteger(value)) return value;
  throw new MeshwardError('bad-input', `${what} "${text.slice(0, 30)}" cannot be read`, { next });
}
