/** What dashboards show beside the mesh itself: the services' own figures over time, and when which release was run where. */
import { serviceFiguresSeries } from '../series.ts';
import { renderTable, renderView } from './engine.ts';
import { peerIdText, timeType } from './fragments.ts';
import type { Migration } from './migration.ts';
import { renderSeries } from './series.ts';

export const figures: Migration = {
  version: 5,
  name: 'figures',
  render: (context) => [
    ...renderSeries(context, serviceFiguresSeries),
    ...renderTable(context, {
      name: 'agent_versions',
      columns: `
        peer_id FixedString(32),
        agent_version LowCardinality(String),
        first_at SimpleAggregateFunction(min, ${timeType}),
        last_at SimpleAggregateFunction(max, ${timeType}),
        ${peerIdText}`,
      engine: 'AggregatingMergeTree',
      orderBy: '(peer_id, agent_version)',
      shardBy: 'cityHash64(peer_id)',
    }),
    // A peer's row says what it runs now; the version of the row is the time.
    renderView(context, {
      name: 'peers_to_agent_versions',
      source: 'peers',
      target: 'agent_versions',
      select: (source) =>
        "SELECT peer_id, agent_version, min(fromUnixTimestamp64Milli(toInt64(version), 'UTC')) AS first_at,\n" +
        "  max(fromUnixTimestamp64Milli(toInt64(version), 'UTC')) AS last_at\n" +
        `FROM ${source} WHERE agent_version != '' GROUP BY peer_id, agent_version`,
    }),
  ],
};
