/** Ways from a figure to the next closer look: mesh → domain → peer → file → runbook. */
import { uidOf } from './dashboard.ts';

interface Link {
  readonly title: string;
  readonly url: string;
  readonly targetBlank?: boolean;
}

const cell = (column: string): string => `\${__data.fields["${column}"]}`;
const kept = '${datasource:queryparam}&${database:queryparam}&${__url_time_range}';

/** The board with variables out of the row's columns. */
function toBoard(name: string, title: string, variables: Readonly<Record<string, string>>): Link {
  const chosen = Object.entries(variables).map(([variable, column]) => `var-${variable}=${cell(column)}`);
  return { title, url: `/d/${uidOf(name)}?${[kept, ...chosen].join('&')}` };
}

export const toDomain = toBoard('damage', 'What the domain holds', { kind: 'kind', domain: 'domain' });
export const toPeers = toBoard('peers', 'Peers of the domain', { kind: 'kind', domain: 'domain' });
export const toPeer = toBoard('peers', 'The peer', { peer: 'peer_id' });
export const toFile = toBoard('files', 'The life of the file', { file: 'storage index' });
export const toRunbook: Link = { title: 'Runbook', url: `\${runbooks}/${cell('runbook')}.md`, targetBlank: true };
