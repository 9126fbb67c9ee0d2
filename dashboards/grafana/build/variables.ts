/** What a reader chooses at the top of a dashboard. The ClickHouse plugin hands on one column: where a variable has text and value, a pattern parts them. */
import { database } from '../sql/leveled.ts';
import type { PlainVariable } from './plain.ts';
import { clickhousePlugin, datasource } from './target.ts';

const onLoad = 1;
const hidden = 2;

interface Choice {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  readonly sql: string;
}

export const dataSourceVariable: PlainVariable = {
  type: 'datasource',
  name: 'datasource',
  label: 'Data source',
  description: 'The ClickHouse of this mesh.',
  query: clickhousePlugin,
  refresh: onLoad,
  regex: '',
  includeAll: false,
  multi: false,
  options: [],
};

/** Databases with Meshward's tables, as far as the data source's user sees them. */
export const databaseVariable = chosen({
  name: 'database',
  label: 'Database',
  description: 'Each mesh has a database of its own.',
  sql: "SELECT database FROM system.tables WHERE name = 'schema_migrations' AND has_own_data GROUP BY database ORDER BY database",
});

export const policyVariable = several({
  name: 'policy',
  label: 'Policy',
  description: 'Files of these policies alone.',
  sql: `SELECT DISTINCT policy FROM ${database}.grade_history_hour WHERE at >= now() - INTERVAL 30 DAY ORDER BY policy`,
});

export const tagVariable = several({
  name: 'tag',
  label: 'Tag',
  description: 'Files with these tags alone.',
  sql: `SELECT if(tag = '', '(none)', toString(tag)) FROM ${database}.files WHERE NOT deleted GROUP BY tag ORDER BY tag LIMIT 500`,
});

export const kindVariable = chosen({
  name: 'kind',
  label: 'Domain kind',
  description: 'What peers fail by together.',
  sql: `SELECT DISTINCT arrayJoin(mapKeys(domains)) AS kind FROM ${database}.peers FINAL ORDER BY indexOf(['zone', 'region', 'rack', 'network', 'operator'], kind) = 0, indexOf(['zone', 'region', 'rack', 'network', 'operator'], kind), kind`,
});

export const domainVariable = several({
  name: 'domain',
  label: 'Domain',
  description: 'Failure domains of the kind.',
  sql: `SELECT DISTINCT domains['\${kind}'] AS domain FROM ${database}.peers FINAL WHERE domain != '' ORDER BY domain LIMIT 2000`,
});

export const campaignVariable = several({
  name: 'campaign',
  label: 'Campaign',
  description: 'These campaigns alone.',
  sql: `SELECT name FROM ${database}.campaigns GROUP BY name ORDER BY max(updated_at) DESC, name LIMIT 500`,
});

export const peerVariable: PlainVariable = {
  ...chosen({
    name: 'peer',
    label: 'Peer',
    description: 'The host whose figures are drawn.',
    sql: `SELECT concat(name, '|', peer_id_text) FROM ${database}.peers FINAL WHERE has([\${domain:sqlstring}], domains['\${kind}']) ORDER BY state = 'departed', name LIMIT 10000`,
  }),
  regex: String.raw`/^(?<text>.*)\|(?<value>[^|]+)$/`,
};

export const fileVariable: PlainVariable = {
  type: 'textbox',
  name: 'file',
  label: 'Storage index',
  description: 'The file whose life is drawn: 26 characters, as `meshward file show` prints them.',
  query: '',
  current: { text: '', value: '' },
  options: [],
};

/** Where links to runbooks lead; set when dashboards are exported. */
export const runbooksVariable: PlainVariable = {
  type: 'constant',
  name: 'runbooks',
  label: 'Runbooks',
  description: 'Address of the folder with the runbooks.',
  query: 'http://127.0.0.1:7700/runbooks',
  current: { text: 'http://127.0.0.1:7700/runbooks', value: 'http://127.0.0.1:7700/runbooks' },
  options: [],
  hide: hidden,
};

function chosen({ name, label, description, sql }: Choice): PlainVariable {
  return {
    type: 'query',
    name,
    label,
    description,
    datasource,
    query: { refId: 'variable', editorType: 'sql', queryType: 'sql', rawSql: sql },
    definition: sql,
    refresh: onLoad,
    regex: '',
    sort: 0,
    includeAll: false,
    multi: false,
    options: [],
  };
}

/** Each of several, and all of them to begin with. */
function several(choice: Choice): PlainVariable {
  return { ...chosen(choice), includeAll: true, multi: true, current: { text: ['All'], value: ['$__all'] } };
}
