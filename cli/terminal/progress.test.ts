import { describe, expect, test } from 'vitest';
import { paceWords, showBar, showLines } from './progress.ts';
import { PaceMeter } from './rate.ts';
import { fakeTerminal } from './testing/fake-terminal.ts';

const clockOf = (times: readonly number[]) => {
  const left = [...times];
  return { monotonicMs: () => left.shift() ?? times.at(-1) ?? 0 };
};

describe('pace', () => {
  test('is what the last seconds had, and the time left follows from it', () => {
    const meter = new PaceMeter(1000);
    expect(meter.note(0, 0)).toEqual({ rate: null, leftMs: null });
    expect(meter.note(10, 1000)).toEqual({ rate: 10, leftMs: 99_000 });
    // A slow start is forgotten after a while.
    for (let second = 2; second <= 14; second++) meter.note(10 + (second - 1) * 50, second * 1000);
    expect(meter.note(710, 15_000).rate).toBeCloseTo(50, 0);
  });

  test('begins anew with the work', () => {
    const meter = new PaceMeter(100);
    meter.note(0, 0);
    meter.note(90, 1000);
    expect(meter.note(0, 2000)).toEqual({ rate: null, leftMs: null });
  });

  test('holds few samples, however often it is told', () => {
    const meter = new PaceMeter(1e6);
    for (let at = 0; at < 5000; at++) meter.note(at, at);
    expect(meter.note(5000, 5000).rate).toBeCloseTo(1000, -1);
  });

  test('is said in units of the work', () => {
    expect(paceWords({ rate: 2_097_152, leftMs: 90_000 }, 'bytes')).toBe(', 2.00 MiB/s, 1 min 30 s left');
    expect(paceWords({ rate: 3, leftMs: 2000 }, 'pieces')).toBe(', 3.0 a second, 2.0 s left');
    expect(paceWords({ rate: null, leftMs: null }, 'bytes')).toBe('');
  });
});

describe('progress', () => {
  test('without a terminal is a line a tenth, with rate and time left', () => {
    const err = fakeTerminal({ isTTY: false });
    const progress = showLines(err.stream, { label: 'storing', total: 2048, unit: 'bytes' }, clockOf([0, 1000, 2000]));
    progress.update(0);
    progress.update(1024);
    progress.update(1100);
    progress.finish();
    expect(err.written()).toBe(
      'storing: 1.00 KiB of 2.00 KiB, 1.00 KiB/s, 1.0 s left\nstoring: 2.00 KiB of 2.00 KiB\n',
    );
  });

  test('on a terminal is a bar that gives the cursor back, whether it reaches its end or not', () => {
    for (const end of ['finish', 'stop'] as const) {
      const err = fakeTerminal({ isTTY: true, columns: 80 });
      const progress = showBar(err.stream, { label: 'storing', total: 100, unit: 'pieces' }, clockOf([0, 1000]));
      progress.update(40);
      progress[end]();
      progress.stop();
      expect(err.written()).toContain('\u001b[?25l');
      expect(err.written().lastIndexOf('\u001b[?25h')).toBeGreaterThan(err.written().lastIndexOf('\u001b[?25l'));
      expect(err.written().endsWith('\n')).toBe(true);
      expect(err.written()).toContain(end === 'finish' ? '100%' : '40%');
    }
  });
});
