/** Alerts as rows of ClickHouse hold them: what has no column of its own stands in the details. */
import type { AlertRow } from '#store/tables.ts';
import type { Alert, Severity } from '../alerts/alert.ts';
import type { OpenAlert } from '../alerts/alert-board.ts';

export interface StoredAlertDetails extends Readonly<Record<string, string | number | undefined>> {
  readonly next: string;
  /** Earlier releases did not say them. */
  readonly bytes?: number;
  readonly sinceMs: number;
  readonly analyzer: string;
}

export function alertOfRow({ id, kind, severity, summary, details, files }: AlertRow): OpenAlert {
  const { analyzer: _analyzer, next, sinceMs, bytes = 0, ...rest } = JSON.parse(details) as StoredAlertDetails;
  const known: Severity = severity === 'page' || severity === 'critical' ? 'page' : 'warning';
  return {
    id,
    alert: { key: kind, severity: known, summary, next, files, bytes, details: rest as Alert['details'] },
    sinceMs,
  };
}
