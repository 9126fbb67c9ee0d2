/** Which of the services' own metrics are kept in `service_figures`, for dashboards that need no other source. */

/** Metrics as their instruments are called. Of a histogram the count and the sum are kept. */
export const keptMetrics = [
  'meshward_process_memory_bytes',
  'meshward_process_uptime_seconds',
  'meshward_health_stale',
  'meshward_analyzer_events',
  'meshward_analyzer_malformed_records',
  'meshward_analyzer_truncated_events',
  'meshward_analyzer_refused_events',
  'meshward_analyzer_owned_partitions',
  'meshward_analyzer_sweep_seconds',
  'meshward_repairer_files',
  'meshward_repairer_running',
  'meshward_repairer_brake',
  'meshward_repairer_unconfirmed',
  'meshward_repairer_faults',
  'meshward_repairer_confirm_seconds',
  'meshward_repairer_budget_bytes_per_second',
  'meshward_store_queued_bytes',
  'meshward_store_queue_limit_bytes',
  'meshward_store_oldest_waiting_seconds',
  'meshward_store_insert_retries',
  'meshward_store_insert_seconds',
  'meshward_store_inserted_rows',
  'meshward_store_inserted_bytes',
  'meshward_log_read_records',
  'meshward_log_unread_records',
  'meshward_log_read_bytes',
  'meshward_log_appended_records',
] as const;

export type KeptMetric = (typeof keptMetrics)[number];

/** Name of a row: the metric, or a part of a histogram. */
export type FigureName = KeptMetric | `${KeptMetric}_count` | `${KeptMetric}_sum`;

/** How often each service writes its figures. */
export const figuresIntervalMs = 15_000;
