/** Whether this machine's clock can be believed: silence is judged by the log's time, and certificates and leases by this one. */

import { apiSender } from '#access/api-sender.ts';
import { systemClock } from '#mesh/clock.ts';
import type { Context } from '../context.ts';
import { formatDuration } from '../output.ts';
import type { RunFile } from '../run-file.ts';
import { type Check, type Finding, failed, passed } from './check.ts';

const mostSkewMs = 5_000;
/** This program is not older than that. */
const earliestMs = Date.UTC(2025, 0, 1);
const next = 'Set the clock of this machine, and keep it with NTP (chrony, systemd-timesyncd).';

export function clockChecks(context: Context, run: RunFile | null): readonly Check[] {
  return [
    {
      name: 'clock',
      kind: 'machine',
      async run() {
        const url = run?.apiUrl ?? context.config.repairer.apiUrl;
        const before = systemClock.nowMs();
        const theirs = await apiSender(context.config.access)(new URL('/livez', url), {
          signal: AbortSignal.timeout(5_000),
        }).then(
          (response) => Date.parse(response.headers.get('date') ?? ''),
          () => Number.NaN,
        );
        return judgeClock((before + systemClock.nowMs()) / 2, Number.isNaN(theirs) ? null : theirs);
      },
    },
  ];
}

/** @param otherMs the analyzer's clock, in whole seconds; null where it does not answer. */
export function judgeClock(nowMs: number, otherMs: number | null): Finding {
  const shown = new Date(nowMs).toISOString();
  if (nowMs < earliestMs) return failed(`it is set to ${shown}`, next);
  if (otherMs === null) return passed(`${shown}; there is no analyzer to compare it with`);
  // An HTTP date has no fractions of a second.
  const skewMs = nowMs < otherMs ? otherMs - nowMs : Math.max(0, nowMs - otherMs - 1000);
  if (skewMs <= mostSkewMs) return passed(`${shown}; agrees with the analyzer's`);
  return failed(`it is ${formatDuration(skewMs)} ${nowMs < otherMs ? 'behind' : 'ahead of'} the analyzer's`, next);
}
