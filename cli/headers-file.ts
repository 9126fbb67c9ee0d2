/** Headers for a service of others, from a file: what they hold may be a secret, and is in no error. */
import { readFileSync } from 'node:fs';
import { describeError, MeshwardError } from '#mesh/errors.ts';

/** A line each, `name: value`; empty lines and lines that begin with # count for nothing. @throws MeshwardError `config-invalid`. */
export function readHeadersFile(path: string): Record<string, string> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new MeshwardError('config-invalid', `telemetry.otlpHeadersFile cannot be read: ${describeError(error)}`, {
      next: 'Name a file that this user can read, or leave the key empty.',
    });
  }
  const headers: Record<string, string> = {};
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*?)[ \t\r]*$/.exec(line);
    if (match === null) {
      throw new MeshwardError('config-invalid', `line ${at + 1} of telemetry.otlpHeadersFile is no header`, {
        next: 'Write a line each, such as `authorization: Bearer …`.',
      });
    }
    headers[(match[1] as string).toLowerCase()] = match[2] as string;
  }
  return headers;
}
