/** What happened, over every graph. */
import { database } from '../sql/leveled.ts';
import type { PlainAnnotation } from './plain.ts';
import { datasource, rows } from './target.ts';

/** From firing to resolved; one that is still open reaches to the end. */
export const alertAnnotations = annotation(
  'Alerts',
  'red',
  `SELECT min(at) AS time, if(argMax(state, at) = 'resolved', max(at), now64(3, 'UTC')) AS timeEnd,
  concat(toString(any(severity)), ': ', toString(any(kind))) AS title, argMax(summary, at) AS text, concat('alert,', toString(any(severity))) AS tags
FROM ${database}.alerts WHERE $__timeFilter(at)
GROUP BY id ORDER BY time LIMIT 500`,
);

export const versionAnnotations = annotation(
  'Versions',
  'blue',
  `SELECT toStartOfInterval(first_at, INTERVAL 5 MINUTE) AS time, 'Agents changed' AS title,
  concat(toString(count()), if(count() = 1, ' peer', ' peers'), ' began to run ', toString(agent_version)) AS text, 'version' AS tags
FROM (
  SELECT peer_id, agent_version, min(first_at) AS first_at FROM ${database}.agent_versions GROUP BY peer_id, agent_version
) WHERE $__timeFilter(first_at) AND agent_version != ''
GROUP BY time, agent_version ORDER BY time LIMIT 500`,
);

/** From its start to its end; one that runs still reaches to the end. */
export const campaignAnnotations = annotation(
  'Campaigns',
  'purple',
  `SELECT time, timeEnd, title, text, tags FROM (
  SELECT minIf(at, what = 'start') AS time, if(countIf(what IN ('finish', 'cancel', 'fail')) > 0, maxIf(at, what IN ('finish', 'cancel', 'fail')), now64(3, 'UTC')) AS timeEnd,
    concat('Campaign ', toString(any(name))) AS title, concat(argMinIf(operator_name, at, what = 'start'), ': ', argMinIf(why, at, what = 'start')) AS text, 'campaign' AS tags
  FROM ${database}.campaign_steps WHERE position(campaign, '/') = 0 GROUP BY campaign HAVING countIf(what = 'start') > 0
) WHERE time <= $__toTime AND timeEnd >= $__fromTime ORDER BY time LIMIT 500`,
);

function annotation(name: string, iconColor: string, sql: string): PlainAnnotation {
  return { name, enable: true, hide: false, iconColor, datasource, target: rows(sql, 'annotation') };
}
