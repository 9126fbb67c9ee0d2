/**
 * What a file waited for on its way through a repair, from what was under way for it. Pure.
 *
 * Much of a repair runs beside itself, so that what was under way adds up to more than the time it took. What it waited for does not:
 * from the end of the file backwards, time belongs to what ended last until then, back to where that began; from there to what ended
 * last before, and so on. Where nothing has just ended, the time belongs to our own event loop: it has what is next to be done, and is
 * at it or at something else.
 */
import { noneBySubject, type Subject, type SubjectSlice } from './profile-subjects.ts';

/** In the order in which they are told. */
export const waits = [
  'memory',
  'budget',
  'turn to ask',
  'peers asked',
  'turn to read',
  'peers read from',
  'threads',
  'turn to write',
  'peers written to',
  'turn to read back',
  'peers read back from',
] as const;
export type Wait = (typeof waits)[number];
/** `loop`: nothing was under way that it would have waited for. */
export type WaitedFor = Wait | 'loop';

export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

export interface WaitSpan extends Span {
  readonly wait: Wait;
}

export interface FileTimes extends Span {
  /** What was under way for the file, in any order. */
  readonly waits: readonly WaitSpan[];
}

/** Of all files together, in µs. */
export interface FilesBreakdown {
  readonly fileCount: number;
  readonly fileUs: number;
  readonly waitedUs: Readonly<Record<WaitedFor, number>>;
  /** At least one of the kind was there; these run beside each other. */
  readonly underWayUs: Readonly<Record<Wait, number>>;
  /** Of `waitedUs`: the event loop was at something, of this file or of another. */
  readonly loopBusyUs: Readonly<Record<WaitedFor, number>>;
  /** The files' time in which the event loop was busy, by what it was at. */
  readonly busyUs: Readonly<Record<Subject, number>>;
  /** The event loop was busy for so long, whether a file was there or not. */
  readonly loopUs: number;
}

/** The pieces of a file's time, the last first, without gaps. */
export function waitedFor({ fromUs, toUs, waits: spans }: FileTimes): (Span & { readonly by: WaitedFor })[] {
  const byEnd = spans.filter((span) => span.toUs > span.fromUs).sort((a, b) => b.toUs - a.toUs);
  const pieces: (Span & { by: WaitedFor })[] = [];
  const add = (by: WaitedFor, from: number, to: number): void => {
    if (to > from) pieces.push({ by, fromUs: from, toUs: to });
  };
  let atUs = toUs;
  for (const span of byEnd) {
    if (span.toUs > atUs) continue;
    if (span.toUs <= fromUs) break;
    const beganUs = Math.max(fromUs, span.fromUs);
    add('loop', span.toUs, atUs);
    add(span.wait, beganUs, span.toUs);
    atUs = beganUs;
  }
  add('loop', fromUs, atUs);
  return pieces;
}

/** @param slices what the event loop was at, in order of time. */
export function breakDown(files: readonly FileTimes[], slices: readonly SubjectSlice[]): FilesBreakdown {
  const waitedUs = noneByWait();
  const loopBusyUs = noneByWait();
  const underWayUs = noneByWait();
  const busyUs = noneBySubject();
  for (const file of files) {
    for (const piece of waitedFor(file)) {
      waitedUs[piece.by] += piece.toUs - piece.fromUs;
      for (const { subject, us } of busyWithin(piece, slices)) {
        loopBusyUs[piece.by] += us;
        busyUs[subject] += us;
      }
    }
    for (const wait of waits) underWayUs[wait] += unionUs(file.waits.filter((span) => span.wait === wait));
  }
  const fileUs = files.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0);
  const busy = slices.filter(({ subject }) => subject !== 'idle');
  const loopUs = busy.reduce((sum, slice) => sum + slice.toUs - slice.fromUs, 0);
  return { fileCount: files.length, fileUs, waitedUs, underWayUs, loopBusyUs, busyUs, loopUs };
}

function* busyWithin(
  { fromUs, toUs }: Span,
  slices: readonly SubjectSlice[],
): Iterable<{ subject: Subject; us: number }> {
  for (let at = firstEndingAfter(fromUs, slices); at < slices.length; at++) {
    const slice = slices[at] as SubjectSlice;
    if (slice.fromUs >= toUs) return;
    const us = Math.min(toUs, slice.toUs) - Math.max(fromUs, slice.fromUs);
    if (slice.subject !== 'idle' && us > 0) yield { subject: slice.subject, us };
  }
}

function firstEndingAfter(us: number, slices: readonly SubjectSlice[]): number {
  let [low, high] = [0, slices.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((slices[middle] as SubjectSlice).toUs > us) high = middle;
    else low = middle + 1;
  }
  return low;
}

function unionUs(spans: readonly Span[]): number {
  let sum = 0;
  let endUs = Number.NEGATIVE_INFINITY;
  for (const { fromUs, toUs } of [...spans].sort((a, b) => a.fromUs - b.fromUs)) {
    if (toUs <= endUs) continue;
    sum += toUs - Math.max(fromUs, endUs);
    endUs = toUs;
  }
  return sum;
}

function noneByWait(): Record<WaitedFor, number> {
  return Object.fromEntries(['loop', ...waits].map((wait) => [wait, 0])) as Record<WaitedFor, number>;
}
