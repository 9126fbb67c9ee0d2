/**
 * Files that are read again when they change. By their content, once a second: mounted secrets are changed by moving a link, which
 * notices of a file system miss.
 */
import { readFileSync } from 'node:fs';
import type { Clock } from '#mesh/clock.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';

export interface WatchedFilesOptions<T> {
  readonly paths: readonly string[];
  /** Throws for what cannot be used: then what was read before stays in force. */
  readonly parse: (texts: readonly string[]) => T;
  readonly clock: Clock;
  /** Told once for each change. */
  readonly onChange: (value: T) => void;
  /** Told once for each content, or absence, that could not be used. */
  readonly onFault: (reason: string) => void;
}

export interface WatchedFiles<T> {
  readonly value: T;
  /** Whether the newest content could not be used. */
  readonly isFaulty: boolean;
  close(): void;
}

const lookEveryMs = 1000;

/** @throws what reading or `parse` throws at the first time. */
export function watchFiles<T>({ paths, parse, clock, onChange, onFault }: WatchedFilesOptions<T>): WatchedFiles<T> {
  let texts = paths.map(readText);
  let value = parse(texts);
  let fault = '';
  let callOff = (): void => undefined;

  const look = (): void => {
    try {
      const found = paths.map(readText);
      const hasChanged = found.some((text, i) => text !== texts[i]);
      if (hasChanged) {
        value = parse(found);
        texts = found;
        onChange(value);
      }
      fault = '';
    } catch (error) {
      const reason = describeError(error);
      if (reason !== fault) onFault(reason);
      fault = reason;
    }
    callOff = clock.after(lookEveryMs, look);
  };

  callOff = clock.after(lookEveryMs, look);
  return {
    get value() {
      return value;
    },
    get isFaulty() {
      return fault !== '';
    },
    close: () => callOff(),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new MeshwardError('config-invalid', `${path} cannot be read`, {
      next: 'Check the path and who may read it.',
      cause: error,
    });
  }
}
