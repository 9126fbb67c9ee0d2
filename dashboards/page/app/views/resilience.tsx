/** How much could be lost before files are: a curve, and sliders for what if. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import type { ResilienceAnswer } from '../answers.ts';
import { useAnswer } from '../ask.ts';
import { Answered, Card, Empty, Figure, View } from '../parts/parts.tsx';
import { axis, colorOf, Plot } from '../parts/plot.tsx';
import { bytes, percent, plural, short, whole } from '../words.ts';

const settleMs = 120;
const refreshMs = 30_000;
/** Of all peers: what is supposed to be lost before a reader says how many. */
const supposedPart = 0.25;

export function ResilienceView(): JSX.Element {
  const [wanted, setLost] = useState<number | null>(null);
  const [repairedTo, setRepairedTo] = useState<number | null>(null);
  const [known, setKnown] = useState(0);
  const lost = wanted ?? Math.round(known * supposedPart);
  const question = useSettled(`lostPeers=${lost}${repairedTo === null ? '' : `&repairedTo=${repairedTo}`}`);
  const asked = useAnswer<ResilienceAnswer>(`/v1/resilience?${question}`, refreshMs);
  const peers = useKept(asked.value?.peers ?? null);
  const newest = useKept(asked.value);
  useEffect(() => setKnown(peers ?? 0), [peers]);
  return (
    <View title="Resilience" question="How many peers could we lose, at once and before repair, until files are gone?">
      <section class="card whole" aria-label="What if">
        <div class="sliders">
          <label>
            <span>
              What if <output id="lost">{plural(Math.min(lost, peers ?? lost), 'peer')}</output> of {whole(peers ?? 0)}{' '}
              were lost
            </span>
            <input
              type="range"
              min={0}
              max={Math.max(1, peers ?? 1)}
              value={lost}
              onInput={(event) => setLost(Number(event.currentTarget.value))}
            />
          </label>
          <label>
            <span>
              What if every file were repaired{' '}
              <output id="repaired">
                {repairedTo === null ? 'no further than now' : `up to ${percent(repairedTo)} of its spare shares`}
              </output>
            </span>
            <input
              type="range"
              min={0}
              max={100}
              step={5}
              value={(repairedTo ?? 0) * 100}
              onInput={(event) => {
                const part = Number(event.currentTarget.value) / 100;
                setRepairedTo(part === 0 ? null : part);
              }}
            />
          </label>
        </div>
      </section>
      <div class="grid" style={{ marginTop: '0.9rem' }}>
        <Answered asked={{ ...asked, value: newest }}>
          {(answer) => (answer.files === 0 ? <Empty>No file is known yet.</Empty> : <Curves answer={answer} />)}
        </Answered>
      </div>
    </View>
  );
}

/** The newest value once it has stood for a moment: a slider that moves asks once. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), settleMs);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** The last value that was there. */
function useKept<T>(value: T | null): T | null {
  const [kept, setKept] = useState<T | null>(value);
  useEffect(() => {
    if (value !== null) setKept(value);
  }, [value]);
  return value ?? kept;
}

function Curves({ answer }: { readonly answer: ResilienceAnswer }): JSX.Element {
  const { at, files, anyPeers, peers } = answer;
  return (
    <>
      <section class="card whole" aria-label="Figures">
        <div class="figures">
          <Figure
            id="any-peers"
            value={anyPeers >= peers ? 'all' : whole(anyPeers)}
            name={`${anyPeers === 1 ? 'peer' : 'peers'} could go, whichever they are, with no file lost`}
            tone={anyPeers === 0 ? 'bad' : anyPeers < 5 ? 'warn' : 'good'}
          />
          <Figure
            value={at.expectedFiles < 0.5 && at.expectedFiles > 0 ? '<1' : short(at.expectedFiles)}
            name={`of ${short(files)} files lost with ${plural(at.lost, 'peer')}, wherever they are`}
            tone={at.expectedFiles >= 0.5 ? 'bad' : 'good'}
          />
          <Figure value={bytes(at.expectedBytes)} name="of data lost then" />
          <Figure
            value={short(at.worstFiles)}
            name={`files lost with ${plural(at.lost, 'peer')}, if they are each file's worst`}
            tone={at.worstFiles > 0 ? 'warn' : 'good'}
          />
        </div>
      </section>
      <Card
        title="Files left, by peers lost"
        size="wide"
        note="solid: losses anywhere alike · dashed: for each file the worst ones · the truth lies between"
      >
        <PeerCurve answer={answer} />
      </Card>
      <Card title="Files lost, by domains lost" size="slim" note="at worst, as the mesh is now">
        <DomainTable answer={answer} />
      </Card>
    </>
  );
}

function PeerCurve({ answer }: { readonly answer: ResilienceAnswer }): JSX.Element {
  const { points, files, at } = answer;
  const { options, data } = useMemo(() => {
    const left = (gone: number): number => (100 * (files - gone)) / Math.max(1, files);
    const mark = (plot: uPlot): void => {
      const x = plot.valToPos(at.lost, 'x', true);
      plot.ctx.save();
      plot.ctx.strokeStyle = colorOf('focus');
      plot.ctx.lineWidth = 2;
      plot.ctx.setLineDash([]);
      plot.ctx.beginPath();
      plot.ctx.moveTo(x, plot.bbox.top);
      plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
      plot.ctx.stroke();
      plot.ctx.restore();
    };
    const made: Omit<uPlot.Options, 'width' | 'height'> = {
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, y: { range: () => [0, 104] } },
      series: [
        {},
        { stroke: () => colorOf('healthy'), width: 2, fill: () => `${colorOf('healthy')}22` },
        { stroke: () => colorOf('critical'), width: 2, dash: [6, 4] },
      ],
      axes: [
        axis({ label: 'peers lost', labelSize: 18, labelFont: '11px system-ui, sans-serif', size: 30 }),
        axis({ size: 46, values: (_plot, values) => values.map((value) => `${value} %`) }),
      ],
      hooks: { draw: [mark] },
    };
    const aligned: uPlot.AlignedData = [
      points.map(({ lost }) => lost),
      points.map(({ expectedFiles }) => left(expectedFiles)),
      points.map(({ worstFiles }) => left(worstFiles)),
    ];
    return { options: made, data: aligned };
  }, [points, files, at.lost]);
  const words = `With ${at.lost} peers lost ${percent(1 - at.expectedFiles / Math.max(1, files))} of files are left where losses fall alike, ${percent(1 - at.worstFiles / Math.max(1, files))} at worst`;
  return <Plot options={options} data={data} height={300} label={words} />;
}

function DomainTable({ answer }: { readonly answer: ResilienceAnswer }): JSX.Element {
  if (answer.domains.length === 0) return <Empty>No failure domains are known.</Empty>;
  return (
    <table>
      <thead>
        <tr>
          <th>kind</th>
          <th class="number">lost</th>
          <th class="number">files lost</th>
        </tr>
      </thead>
      <tbody id="domain-losses">
        {answer.domains.flatMap(({ kind, domains, worst }) =>
          worst
            .filter(({ lost }) => lost > 0)
            .slice(0, 4)
            .map(({ lost, files }, i) => (
              <tr key={`${kind} ${lost}`}>
                <td>{i === 0 ? kind : ''}</td>
                <td class="number">
                  {whole(lost)} of {whole(domains)}
                </td>
                <td class={`number ${files > 0 ? 'bad' : 'good'}`}>{files === 0 ? 'none' : short(files)}</td>
              </tr>
            )),
        )}
      </tbody>
    </table>
  );
}
