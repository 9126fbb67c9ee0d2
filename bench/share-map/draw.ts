/**
 * Draws how memory and a sweep grow with the files: `node bench/share-map/draw.ts` reads `figures.jsonl` beside it (what
 * `npm run bench -- share-map 10000 100000 1000000 10000000 --json` printed) and writes `docs/images/share-map.svg`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { BenchCase } from '../case.ts';

interface Series {
  readonly name: string;
  readonly colour: string;
  readonly label: number;
  readonly points: readonly (readonly [files: number, value: number])[];
}

interface Panel {
  readonly title: string;
  readonly case: string;
  /** Powers of ten at the axis's ends. */
  readonly from: number;
  readonly to: number;
  readonly tick: (value: number) => string;
}

const panels: readonly Panel[] = [
  {
    title: 'Memory',
    case: 'memory in all',
    from: 0,
    to: 4,
    tick: (mb) => (mb >= 1000 ? `${mb / 1000} GB` : `${mb} MB`),
  },
  {
    title: 'CPU time of a sweep',
    case: 'sweep',
    from: -1,
    to: 5,
    tick: (ms) => (ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`),
  },
];
const filePowers = [4, 7] as const;
/** `label` is where the last point's figure stands, below it or above. */
const names: Readonly<Record<string, { readonly name: string; readonly colour: string; readonly label: number }>> = {
  ours: { name: 'share map', colour: '#0b6e4f', label: -10 },
  'ClickHouse query': { name: 'ClickHouse, counting alone', colour: '#b35900', label: 20 },
  'JavaScript maps': { name: 'JavaScript maps', colour: '#5b4b8a', label: -10 },
};

const size = { width: 860, height: 380 };
const plot = { top: 64, bottom: 320, width: 300 };
const panelLefts = [80, 500] as const;

const cases = readFileSync(new URL('./figures.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line) as BenchCase);
writeFileSync(new URL('../../docs/images/share-map.svg', import.meta.url), draw());

function draw(): string {
  const body = panels.map((panel, i) => drawPanel(panel, panelLefts[i] as number)).join('\n');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-labelledby="title">
<title id="title">Memory and time of a sweep from ten thousand to ten million files of 25-of-100: share map, ClickHouse, JavaScript maps</title>
<rect width="${size.width}" height="${size.height}" rx="8" fill="#ffffff"/>
${body}
${legend()}
</svg>
`;
}

function drawPanel({ title, case: name, from, to, tick }: Panel, left: number): string {
  const x = (files: number): number =>
    left + (plot.width * (Math.log10(files) - filePowers[0])) / (filePowers[1] - filePowers[0]);
  const y = (value: number): number =>
    plot.bottom - ((plot.bottom - plot.top) * (Math.log10(value) - from)) / (to - from);
  const lines = [text(left, plot.top - 18, title, 'font-weight="600" font-size="14" fill="#1b1b1b"')];
  for (let power = from; power <= to; power++) {
    const at = y(10 ** power);
    lines.push(`<path d="M${left} ${at}h${plot.width}" stroke="#e4e4e4"/>`);
    lines.push(text(left - 8, at + 4, tick(Number((10 ** power).toPrecision(1))), 'text-anchor="end" fill="#555555"'));
  }
  for (let power = filePowers[0]; power <= filePowers[1]; power++) {
    const label = power >= 6 ? `${10 ** (power - 6)} M` : `${10 ** (power - 3)} k`;
    lines.push(text(x(10 ** power), plot.bottom + 20, label, 'text-anchor="middle" fill="#555555"'));
  }
  lines.push(
    text(left + plot.width / 2, plot.bottom + 40, 'files, 100 shares each', 'text-anchor="middle" fill="#555555"'),
  );
  for (const { colour, label, points } of seriesOf(name)) {
    const places = points.map(([files, value]) => [x(files).toFixed(1), y(value).toFixed(1)] as const);
    lines.push(
      `<path d="M${places.map((place) => place.join(' ')).join('L')}" fill="none" stroke="${colour}" stroke-width="2.5"/>`,
    );
    places.forEach(([cx, cy], i) => {
      lines.push(`<circle cx="${cx}" cy="${cy}" r="4" fill="${colour}"/>`);
      const [, value] = points[i] as readonly [number, number];
      if (i === places.length - 1)
        lines.push(
          text(
            Number(cx),
            Number(cy) + label,
            words(value, tick),
            `text-anchor="middle" fill="${colour}" font-weight="600"`,
          ),
        );
    });
  }
  return lines.join('\n');
}

function seriesOf(name: string): readonly Series[] {
  const found = cases.flatMap(({ case: title, ours, peers }) => {
    const [, files] = /^25-of-100, ([\d,]+) files: (.*)$/.exec(title) ?? [];
    if (files === undefined || !title.endsWith(`: ${name}`)) return [];
    return [{ files: Number(files.replaceAll(',', '')), values: new Map(Object.entries({ ours, ...peers })) }];
  });
  return Object.entries(names).map(([key, style]) => ({
    ...style,
    points: found.flatMap(({ files, values }) =>
      values.has(key) ? [[files, values.get(key) as number] as const] : [],
    ),
  }));
}

function legend(): string {
  let left = panelLefts[0] as number;
  return Object.values(names)
    .map(({ name, colour }) => {
      const entry = `<circle cx="${left + 4}" cy="20" r="5" fill="${colour}"/>${text(left + 16, 24, name, 'fill="#1b1b1b"')}`;
      left += 44 + name.length * 6.5;
      return entry;
    })
    .join('\n');
}

/** Two digits in the axis's unit. */
function words(value: number, tick: (value: number) => string): string {
  const unit = tick(value).replace(/^[\d.e-]+ /, '');
  const number = value >= 1000 ? value / 1000 : value;
  return `${number >= 100 ? Math.round(number) : Number(number.toPrecision(2))} ${unit}`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${content}</text>`;
}
