/** How wide a point of a panel is: as Grafana rounds it, never narrower than the panel asks. */

const steps: readonly (readonly [belowMs: number, intervalMs: number])[] = [
  [10, 1],
  [15, 10],
  [35, 20],
  [75, 50],
  [150, 100],
  [350, 200],
  [750, 500],
  [1500, 1000],
  [3500, 2000],
  [7500, 5000],
  [12_500, 10_000],
  [17_500, 15_000],
  [25_000, 20_000],
  [45_000, 30_000],
  [90_000, 60_000],
  [210_000, 120_000],
  [450_000, 300_000],
  [750_000, 600_000],
  [1_050_000, 900_000],
  [1_500_000, 1_200_000],
  [2_700_000, 1_800_000],
  [5_400_000, 3_600_000],
  [9_000_000, 7_200_000],
  [16_200_000, 10_800_000],
  [32_400_000, 21_600_000],
  [86_400_000, 43_200_000],
  [604_800_000, 86_400_000],
  [1_814_400_000, 604_800_000],
  [3_628_800_000, 2_592_000_000],
];
const longestMs = 31_536_000_000;

export function intervalOf(spanMs: number, maxPoints: number, least: string | undefined): number {
  const exact = spanMs / maxPoints;
  const rounded = steps.find(([belowMs]) => exact < belowMs)?.[1] ?? longestMs;
  return Math.max(rounded, least === undefined ? 1 : durationMs(least));
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Such as `10s`. */
function durationMs(text: string): number {
  const [, count = '', unit = ''] = /^(\d+)(ms|[smhd])$/.exec(text) ?? [];
  const unitMs = unitsMs[unit];
  if (unitMs === undefined) throw new RangeError(`no duration: ${text}`);
  return Number(count) * unitMs;
}
