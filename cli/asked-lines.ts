/** Which files are asked of: caps or storage indexes from the command line, a file or standard input. Nothing here repeats what was given. */
import { readFile } from 'node:fs/promises';
import { text as readText } from 'node:stream/consumers';
import { parseCap } from '#mesh/caps.ts';
import { describeError, MeshwardError } from '#mesh/errors.ts';
import { isStorageIndex, type StorageIndex } from '#mesh/storage-index.ts';

export interface AskedLine {
  /** What stands behind the cap, as `put` prints it. */
  readonly name: string;
  /** Null for a literal cap, which is the file itself. */
  readonly storageIndex: StorageIndex | null;
}

export interface AskedLines {
  readonly lines: readonly AskedLine[];
  /** One file was named on the command line. */
  readonly isSingle: boolean;
}

/** More are handed over in several calls. */
const maxLines = 100_000;

/** @throws MeshwardError `bad-input`, `bad-cap` naming the line. */
export async function readAskedLines(given: readonly string[], capFile: string | undefined): Promise<AskedLines> {
  const isRead = capFile !== undefined || given.includes('-');
  if (isRead && (given.length > 1 || (capFile !== undefined && given.length > 0))) {
    throw new MeshwardError('bad-input', 'caps are given both on the command line and to be read', {
      next: 'Give them one way or the other.',
    });
  }
  const texts = isRead ? (await read(capFile ?? '-')).split('\n') : given;
  const lines = texts.map((text, i) => ({ text: text.trim(), number: i + 1 })).filter(({ text }) => text !== '');
  if (lines.length === 0) {
    throw new MeshwardError('bad-input', 'no cap is given', {
      next: 'Give caps or storage indexes, or a file of them with --cap-file.',
    });
  }
  if (lines.length > maxLines) {
    throw new MeshwardError('bad-input', `${lines.length} caps are more than ${maxLines}`, {
      next: 'Split the file, such as with `split -l 100000`.',
    });
  }
  return {
    lines: lines.map(({ text, number }) => parseLine(text, lines.length === 1 ? '' : `line ${number}: `)),
    isSingle: !isRead && lines.length === 1,
  };
}

function parseLine(text: string, place: string): AskedLine {
  const [, word = '', name = ''] = /^(\S+)(?:\s+(.*))?$/.exec(text) ?? [];
  if (isStorageIndex(word)) return { name, storageIndex: word };
  try {
    const cap = parseCap(word);
    return { name, storageIndex: cap.kind === 'literal' ? null : cap.manifest.storageIndex };
  } catch (error) {
    if (!(error instanceof MeshwardError) || place === '') throw error;
    throw new MeshwardError('bad-cap', `${place}${describeError(error)}`, { next: error.next });
  }
}

async function read(path: string): Promise<string> {
  try {
    return path === '-' ? await readText(process.stdin) : await readFile(path, 'utf8');
  } catch (error) {
    throw new MeshwardError('bad-input', 'the file that should hold the caps cannot be read', {
      next: 'Check the path that --cap-file names and who may read it.',
      cause: error instanceof Error && 'code' in error ? new Error(String(error.code)) : undefined,
    });
  }
}
