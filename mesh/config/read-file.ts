/** The configuration file: values by the paths of their keys, and the line that each stands in. */
import { readFileSync } from 'node:fs';
import { isAlias, isMap, isNode, isScalar, LineCounter, parseDocument } from 'yaml';
import { describeError, MeshwardError } from '../errors.ts';

export interface FileValue {
  /** Of a key, of a section that is no map, or empty for the whole file where that is no map. */
  readonly path: string;
  readonly value: unknown;
  readonly line: number;
}

/**
 * What the file sets. Sections that hold nothing set nothing.
 * @throws MeshwardError `config-invalid` where it cannot be read or is no YAML.
 */
export function readConfigFile(
  path: string,
  isKey: (path: string) => boolean,
  isSection: (path: string) => boolean,
): readonly FileValue[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new MeshwardError(
      'config-invalid',
      `the configuration file ${path} cannot be read: ${describeError(error)}`,
      {
        next: 'Check that the file is there and who may read it.',
        cause: error,
      },
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [fault] = document.errors;
  if (fault !== undefined) {
    throw new MeshwardError('config-invalid', `the configuration file ${path} is no YAML: ${fault.message}`, {
      next: 'Mend what stands in that line.',
      cause: fault,
    });
  }
  const lineOf = (node: unknown): number => lines.linePos(isNode(node) ? (node.range?.[0] ?? 0) : 0).line;
  const found: FileValue[] = [];

  const visit = (node: unknown, at: string): void => {
    const value = isAlias(node) ? node.resolve(document) : node;
    if (!isKey(at) && isMap(value)) {
      for (const { key, value: child } of value.items) {
        const name = String(isScalar(key) ? key.value : key);
        visit(child ?? key, at === '' ? name : `${at}.${name}`);
      }
      return;
    }
    const isEmpty = value === null || (isScalar(value) && value.value === null);
    if (isEmpty && (at === '' || isSection(at))) return;
    found.push({ path: at, value: isNode(value) ? value.toJS(document) : value, line: lineOf(node) });
  };

  visit(document.contents, '');
  return found;
}
