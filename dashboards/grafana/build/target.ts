/** A query as the ClickHouse plugin of Grafana keeps it. */
import type { DataSource, Target } from './plain.ts';

const pluginVersion = '4.20.0';

export const clickhousePlugin = 'grafana-clickhouse-datasource';

/** The one that is chosen at the top of the dashboard. */
export const datasource: DataSource = { type: clickhousePlugin, uid: '${datasource}' };

/** Rows with a time, in order of it; the text columns tell series apart. */
export function series(rawSql: string, refId = 'A'): Target {
  return { refId, datasource, editorType: 'sql', queryType: 'timeseries', format: 0, rawSql, pluginVersion };
}

/** Rows as they are. */
export function rows(rawSql: string, refId = 'A'): Target {
  return { refId, datasource, editorType: 'sql', queryType: 'table', format: 1, rawSql, pluginVersion };
}
