/** What the loss of a domain would do, as the last sweeps of every analyzer before the end of the span told it. */
import { exposureSeries } from '#store/series.ts';
import { leveled } from './leveled.ts';

/** A subquery with `kind`, `domain`, `below_k`, `below_repair`. Stands behind `stepsClause`. @param condition over `source.kind` and `source.domain`. */
export function newestExposure(condition: string): string {
  const exposed = leveled({
    series: exposureSeries,
    keys: ['kind', 'domain', 'analyzer'],
    figures: ['files_below_k', 'files_below_repair'],
    condition,
  });
  // An analyzer that has told nothing for a while has handed its files to others, who tell of them.
  return `(
SELECT kind, domain, sum(last_below_k) AS below_k, sum(last_below_repair) AS below_repair FROM (
  SELECT kind, domain, analyzer, argMax(files_below_k_last, newest_at) AS last_below_k,
    argMax(files_below_repair_last, newest_at) AS last_below_repair, max(newest_at) AS told_at, max(told_at) OVER () AS last_told_at
  FROM ${exposed} GROUP BY kind, domain, analyzer
) WHERE told_at >= last_told_at - toIntervalSecond(greatest(900, 2 * step))
GROUP BY kind, domain
)`;
}
