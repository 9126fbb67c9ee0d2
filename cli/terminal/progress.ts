/** Long work: a bar with rate and time left where there is a terminal, a line now and then where there is none. */
import { Presets, SingleBar } from 'cli-progress';
import type { Clock } from '#mesh/clock.ts';
import { formatBytes, formatDuration } from './amounts.ts';
import { type Pace, PaceMeter } from './rate.ts';

export interface Progress {
  readonly update: (done: number) => void;
  readonly finish: () => void;
  /** Ends where it stands: what is printed next begins a line of its own. */
  readonly stop: () => void;
}

export interface ProgressOptions {
  readonly label: string;
  readonly total: number;
  readonly unit: 'bytes' | 'pieces';
}

type Clocked = Pick<Clock, 'monotonicMs'>;

export function showBar(err: NodeJS.WriteStream, { label, total, unit }: ProgressOptions, clock: Clocked): Progress {
  const meter = new PaceMeter(total);
  const shown = new SingleBar(
    {
      stream: err,
      format: `${label} {bar} {percentage}%  {amount}{pace}`,
      hideCursor: true,
      gracefulExit: false,
      // What does not fit is cut: a line that wraps is never overwritten.
      linewrap: false,
      barsize: Math.max(8, Math.min(30, (err.columns ?? 80) - label.length - 56)),
    },
    Presets.shades_classic,
  );
  const payload = (done: number): Record<string, string> => ({
    amount: amountWords(done, total, unit),
    pace: paceWords(meter.note(done, clock.monotonicMs()), unit),
  });
  shown.start(total, 0, payload(0));
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    shown.stop();
  };
  return {
    update: (done) => shown.update(done, payload(done)),
    finish() {
      if (!isOver) shown.update(total, { ...payload(total), pace: '' });
      end();
    },
    stop: end,
  };
}

/** A line at each tenth: logs stay short. */
export function showLines(err: NodeJS.WriteStream, { label, total, unit }: ProgressOptions, clock: Clocked): Progress {
  const meter = new PaceMeter(total);
  let tenth = 0;
  return {
    update(done) {
      const pace = meter.note(done, clock.monotonicMs());
      const now = total === 0 ? 10 : Math.floor((done / total) * 10);
      if (now <= tenth || now >= 10) return;
      tenth = now;
      err.write(`${label}: ${amountWords(done, total, unit)}${paceWords(pace, unit)}\n`);
    },
    finish() {
      err.write(`${label}: ${amountWords(total, total, unit)}\n`);
    },
    stop: () => undefined,
  };
}

function amountWords(done: number, total: number, unit: ProgressOptions['unit']): string {
  return unit === 'bytes' ? `${formatBytes(done)} of ${formatBytes(total)}` : `${done} of ${total}`;
}

export function paceWords({ rate, leftMs }: Pace, unit: ProgressOptions['unit']): string {
  if (rate === null || leftMs === null) return '';
  const speed = unit === 'bytes' ? `${formatBytes(Math.round(rate))}/s` : `${rate.toFixed(rate < 10 ? 1 : 0)} a second`;
  return `, ${speed}, ${formatDuration(leftMs)} left`;
}
