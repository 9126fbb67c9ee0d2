/** What every front of the codec checks before it calls the addon, and the errors that it gives. */
import { tracingChannel } from 'node:diagnostics_channel';
import { checkCoding } from '#mesh/coding.ts';
import { MeshwardError } from '#mesh/errors.ts';
import { loadNative } from './load.ts';

/** Which shares are wanted from which. */
export interface ShareNumbers {
  readonly k: number;
  readonly n: number;
  /** Exactly `k` distinct share numbers below `n`, in any order. */
  readonly sourceNumbers: readonly number[];
  /** Distinct share numbers below `n`; one that is also a source is copied. */
  readonly wantedNumbers: readonly number[];
}

/** Source numbers, then wanted numbers, as the addon takes them. @throws MeshwardError `bad-coding`, `codec-failed` */
export function packNumbers(request: ShareNumbers): Uint8Array {
  const { k, n } = checkCoding(request.k, request.n);
  const { sourceNumbers, wantedNumbers } = request;
  if (sourceNumbers.length !== k)
    throw codecFailed(`${k} source shares are needed, ${sourceNumbers.length} numbers were given`);
  const numbers = new Uint8Array(k + wantedNumbers.length);
  fillNumbers(numbers, 0, sourceNumbers, n, 'source');
  fillNumbers(numbers, k, wantedNumbers, n, 'wanted');
  return numbers;
}

/** The blocks' common length in bytes. @throws MeshwardError `codec-failed` */
export function checkSources(sourceNumbers: readonly number[], sources: readonly Uint8Array[]): number {
  if (sources.length !== sourceNumbers.length) {
    throw codecFailed(`${sourceNumbers.length} source shares are named and ${sources.length} blocks were given`);
  }
  const lengthBytes = (sources[0] as Uint8Array).length;
  for (let i = 0; i < sources.length; i++) {
    const { length } = sources[i] as Uint8Array;
    if (length !== lengthBytes) {
      throw codecFailed(
        `the block of share ${sourceNumbers[i]} has ${length} bytes, that of share ${sourceNumbers[0]} has ${lengthBytes}`,
      );
    }
  }
  return lengthBytes;
}

/** The given outputs, checked, or new ones. @throws MeshwardError `codec-failed` */
export function outputsFor(
  wantedNumbers: readonly number[],
  outputs: readonly Uint8Array[] | undefined,
  lengthBytes: number,
): Uint8Array[] {
  if (outputs === undefined) return wantedNumbers.map(() => Buffer.allocUnsafeSlow(lengthBytes));
  if (outputs.length !== wantedNumbers.length) {
    throw codecFailed(`${wantedNumbers.length} shares are wanted and ${outputs.length} outputs were given`);
  }
  for (const [i, output] of outputs.entries()) {
    if (output.length !== lengthBytes) {
      throw codecFailed(
        `the output for share ${wantedNumbers[i]} has ${output.length} bytes, the source blocks have ${lengthBytes}`,
      );
    }
  }
  return [...outputs];
}

// A resize could take the memory away under a running thread; nothing can hold it in place.
export function refuseResizable(blocks: readonly Uint8Array[]): void {
  for (const { buffer } of blocks) {
    if (buffer instanceof ArrayBuffer && buffer.resizable) throw codecFailed('a block lies in a resizable buffer');
  }
}

export function runNative<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof MeshwardError) throw error;
    throw codecFailed(error instanceof Error ? error.message : String(error), error);
  }
}

/**
 * Starts a job that settles later. `start` gets what to call then and gives the addon's answer: the job's id, 0 where the
 * queue is full, or −1 where the work is done already.
 */
export function runJob(
  start: (onSettled: (cancelled: boolean) => void) => number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return jobChannel.tracePromise(() => settled(start, signal));
}

/** For who measures: each job on the threads, from when it is handed over to when it has settled. Nothing where nobody listens. */
export const jobChannel = tracingChannel('meshward:native-job');

function settled(
  start: (onSettled: (cancelled: boolean) => void) => number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(cancelled(signal));
      return;
    }
    const onAbort = (): void => loadNative().cancelRegenerate(jobId);
    const jobId = runNative(() =>
      start((wasCancelled) => {
        signal?.removeEventListener('abort', onAbort);
        if (wasCancelled) reject(cancelled(signal));
        else resolve();
      }),
    );
    if (jobId > 0) signal?.addEventListener('abort', onAbort, { once: true });
    else if (jobId < 0) resolve();
    else reject(queueFull());
  });
}

function fillNumbers(into: Uint8Array, at: number, numbers: readonly number[], n: number, what: string): void {
  const seen = new Uint8Array(n);
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number;
    if (!Number.isInteger(number) || number < 0 || number >= n)
      throw codecFailed(`${what} share ${number} is not below n = ${n}`);
    if (seen[number] === 1) throw codecFailed(`${what} share ${number} is named twice`);
    seen[number] = 1;
    into[at + i] = number;
  }
}

export function codecFailed(message: string, cause?: unknown): MeshwardError {
  return new MeshwardError('codec-failed', `cannot regenerate: ${message}`, {
    next: 'Give k distinct source shares with blocks of one length, and outputs that overlap nothing.',
    cause,
  });
}

function queueFull(): MeshwardError {
  return new MeshwardError('service-busy', 'too many regenerations are waiting for a thread', {
    next: 'Wait for some to finish before starting more; where none run, the limit of processes (ulimit -u, pids.max) leaves no thread.',
    retryable: true,
  });
}

function cancelled(signal: AbortSignal | undefined): MeshwardError {
  return new MeshwardError('cancelled', 'the regeneration was cancelled', {
    next: 'Nothing: the caller asked for it. Discard the outputs.',
    cause: signal?.reason,
  });
}
