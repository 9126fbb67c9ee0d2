/** A campaign's report as one self-contained page: no script, no font, no address of anybody else. */
import type { CampaignReport } from '#analyzer/api/campaign-schemas.ts';
import { describeMargins, describeState } from './describe-campaign.ts';
import { formatBytes, formatDuration } from './output.ts';

const width = 720;
const height = 200;
const pad = { left: 84, right: 12, top: 12, bottom: 28 };

export function renderReportPage(report: CampaignReport, end: string): string {
  const { campaign } = report;
  const { totals, plan } = campaign;
  const facts: [string, string][] = [
    ['State', describeState(campaign)],
    ['What', campaign.description],
    ['Files', `${totals.files} of about ${plan.files}`],
    ['Shares written', String(totals.sharesWritten)],
    ['Read, written', `${formatBytes(totals.bytesRead)}, ${formatBytes(totals.bytesWritten)}`],
    ['Planned', `${formatBytes(plan.bytesRead)} to read, ${formatBytes(plan.bytesWritten)} to write`],
    ['Ran for', formatDuration(campaign.runningMs)],
    ['Margin', `${describeMargins(report.marginsBefore)} before, ${describeMargins(report.marginsAfter)} after`],
    ['Plan', campaign.planHash],
    ...(end === '' ? [] : [['End', end] as [string, string]]),
  ];
  const bytes = withoutGaps(report);
  const steps = campaign.steps.map((step) => [
    new Date(step.atMs).toISOString(),
    step.what,
    step.operatorId === '' ? 'the repairers' : step.operatorName || step.operatorId,
    step.why,
  ]);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(campaign.name)}</title><style>${style}</style></head><body>
<h1>Campaign ${escaped(campaign.name)}</h1>
<table class="facts">${facts.map(([name, value]) => `<tr><th>${name}</th><td>${escaped(value)}</td></tr>`).join('')}</table>
<h2>Margins</h2><p><span class="before">■</span> before <span class="after">■</span> after, files by shares above k</p>
${marginPicture(report)}
<h2>Throughput</h2><p>Bytes read and written a second</p>
${linePicture(bytes)}
<h2>Outcomes</h2>
${outcomeBars(report)}
<h2>Who did what</h2>
${htmlTable(['when', 'what', 'who', 'why'], steps)}
</body></html>
`;
}

/** Spans in which nothing ended are not told: a pause is to be seen. */
function withoutGaps({ throughput, spanMs }: CampaignReport): readonly (readonly [number, number])[] {
  return throughput.flatMap(({ atMs, bytes }, i): (readonly [number, number])[] => {
    const before = throughput[i - 1]?.atMs;
    const point = [atMs, (bytes * 1000) / spanMs] as const;
    if (before === undefined || atMs - before <= spanMs) return [point];
    return [[before + spanMs, 0], [atMs - spanMs, 0], point];
  });
}

function marginPicture({ marginsBefore, marginsAfter }: CampaignReport): string {
  const all = [...marginsBefore, ...marginsAfter];
  if (all.length === 0) return '<p>No file was dealt with.</p>';
  const least = Math.min(...all.map(([margin]) => margin));
  const most = Math.max(...all.map(([margin]) => margin));
  const largest = Math.max(...all.map(([, files]) => files));
  const slot = (width - pad.left - pad.right) / (most - least + 1);
  const bars = (margins: CampaignReport['marginsBefore'], kind: 'before' | 'after'): string =>
    margins
      .map(([margin, files]) => {
        const x = pad.left + (margin - least) * slot + (kind === 'after' ? slot * 0.45 : slot * 0.05);
        const tall = ((height - pad.top - pad.bottom) * files) / largest;
        const y = height - pad.bottom - tall;
        return `<rect class="${kind}" x="${round(x)}" y="${round(y)}" width="${round(slot * 0.4)}" height="${round(tall)}"><title>margin ${margin}: ${files} files ${kind}</title></rect>`;
      })
      .join('');
  return picture(bars(marginsBefore, 'before') + bars(marginsAfter, 'after'), String(largest), [
    String(least),
    String(most),
  ]);
}

function linePicture(points: readonly (readonly [number, number])[]): string {
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined) return '<p>Nothing was moved.</p>';
  const span = Math.max(1, last[0] - first[0]);
  const largest = Math.max(1, ...points.map(([, value]) => value));
  const path = points
    .map(([atMs, value], i) => {
      const x = pad.left + ((width - pad.left - pad.right) * (atMs - first[0])) / span;
      const y = height - pad.bottom - ((height - pad.top - pad.bottom) * value) / largest;
      return `${i === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`;
    })
    .join('');
  const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 19);
  return picture(`<path class="line" d="${path}"/>`, `${formatBytes(Math.round(largest))}/s`, [
    clock(first[0]),
    clock(last[0]),
  ]);
}

function picture(content: string, most: string, ends: readonly [string, string]): string {
  const base = height - pad.bottom;
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img">` +
    `<line x1="${pad.left}" y1="${base}" x2="${width - pad.right}" y2="${base}"/>` +
    `<text x="${pad.left - 6}" y="${pad.top + 10}" text-anchor="end">${escaped(most)}</text>` +
    `<text x="${pad.left}" y="${height - 8}">${escaped(ends[0])}</text>` +
    `<text x="${width - pad.right}" y="${height - 8}" text-anchor="end">${escaped(ends[1])}</text>${content}</svg>`
  );
}

function outcomeBars({ campaign: { totals } }: CampaignReport): string {
  if (totals.files === 0) return '<p>No file was dealt with.</p>';
  const rows = totals.outcomes.map(({ outcome, errorCode, files }) => {
    const isGood = ['restored', 'not-needed', 'verified', 'gone'].includes(outcome);
    const part = round((100 * files) / totals.files);
    return `<tr><th>${escaped(outcome)}</th><td>${escaped(errorCode)}</td><td class="number">${files}</td><td class="wide"><div class="${isGood ? 'good' : 'bad'}" style="width:${part}%"></div></td></tr>`;
  });
  return `<table>${rows.join('')}</table>`;
}

function htmlTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[], tag: string): string =>
    row.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('');
  return `<table><tr>${cells(header, 'th')}</tr>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('')}</table>`;
}

const style =
  'body{font:15px/1.5 system-ui,sans-serif;max-width:760px;margin:2em auto;padding:0 1em;color:#1d2733;background:#fff}' +
  'h1{font-size:1.5em}h2{font-size:1.1em;margin-top:2em}table{border-collapse:collapse;width:100%}' +
  'th,td{text-align:left;padding:.25em .75em .25em 0;vertical-align:top;border-bottom:1px solid #e3e8ee}th{font-weight:600;white-space:nowrap}' +
  '.number{text-align:right}.wide{width:50%}.good,.bad{height:1em}.good{background:#2c8a5b}.bad{background:#c0392b}' +
  'svg{width:100%;height:auto}svg line{stroke:#9aa7b5}svg text{font-size:11px;fill:#5a6a7a}.before{fill:#d08a2e;color:#d08a2e}.after{fill:#2c6fb0;color:#2c6fb0}.line{fill:none;stroke:#2c6fb0;stroke-width:2}';

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
