/** One panel: asks for its answers when it is seen, and draws them as its kind is drawn. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { AskError, askWith } from '../ask.ts';
import { Heat } from '../parts/heat.tsx';
import { Bars, Rows, Stats } from './figures.tsx';
import { type Field, framesOf } from './frames.ts';
import type { Answer, Chosen, Mark, Panel as PanelJson, Span } from './model.ts';
import { TimeSeries } from './time-series.tsx';
import { Timeline } from './timeline.tsx';

export interface PanelProps {
  readonly uid: string;
  readonly panel: PanelJson;
  readonly range: { readonly from: string; readonly to: string };
  readonly chosen: Chosen;
  readonly marks: readonly Mark[];
  /** Asked again when it changes. */
  readonly turn: number;
  readonly height: number;
}

interface Asked {
  readonly span: Span;
  readonly answers: readonly Answer[];
}

export function Panel(props: PanelProps): JSX.Element {
  const { uid, panel, range, chosen, turn } = props;
  const place = useRef<HTMLElement>(null);
  const [isSeen, setSeen] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);
  const [error, setError] = useState<AskError | null>(null);
  useEffect(() => {
    const watch = new IntersectionObserver((entries) => setSeen(entries.some(({ isIntersecting }) => isIntersecting)), {
      rootMargin: '300px',
    });
    if (place.current !== null) watch.observe(place.current);
    return () => watch.disconnect();
  }, []);
  const question = JSON.stringify([uid, range, chosen, turn]);
  const asking = useRef<{ readonly question: string; readonly abort: AbortController } | null>(null);
  useEffect(() => () => asking.current?.abort.abort(), []);
  useEffect(() => {
    // What is asked once is waited for, though it be scrolled out of sight.
    if (!isSeen || asking.current?.question === question) return;
    asking.current?.abort.abort();
    const abort = new AbortController();
    asking.current = { question, abort };
    const body = { from: range.from, to: range.to, variables: chosen };
    askWith<Asked>(`/page/dashboards/${uid}/panels/${panel.id}`, body, abort.signal).then(
      (answer) => {
        setAsked(answer);
        setError(null);
      },
      (failure: unknown) => failure instanceof AskError && setError(failure),
    );
  }, [isSeen, question]);
  return (
    <section ref={place} class="card panel" aria-label={panel.title ?? ''} data-panel={panel.id} data-kind={panel.type}>
      <header>
        <h3 title={panel.description ?? ''}>{panel.title}</h3>
      </header>
      {error === null ? null : (
        <p class="bad" role="alert">
          {error.message}. {error.next}
        </p>
      )}
      {asked === null ? error === null ? <p class="waiting">asking…</p> : null : <Drawn {...props} asked={asked} />}
    </section>
  );
}

function Drawn(props: PanelProps & { readonly asked: Asked }): JSX.Element {
  const { panel, asked, range, marks, height } = props;
  const frames = useMemo(() => framesOf(panel, asked.answers), [panel, asked]);
  if (frames.every(([first]) => (first?.values.length ?? 0) === 0))
    return <p class="empty">{panel.fieldConfig.defaults.noValue ?? 'Nothing in this span.'}</p>;
  switch (panel.type) {
    case 'timeseries':
      return <TimeSeries panel={panel} frames={frames} span={asked.span} height={height} marks={marks} />;
    case 'stat':
      return <Stats panel={panel} frames={frames} range={range} />;
    case 'bargauge':
      return <Bars panel={panel} frames={frames} range={range} />;
    case 'heatmap':
      return <HeatMap panel={panel} fields={frames[0] ?? []} span={asked.span} height={height} />;
    case 'state-timeline':
      return <Timeline panel={panel} frames={frames} span={asked.span} />;
    default:
      return <Rows panel={panel} frames={frames} range={range} />;
  }
}

function HeatMap(props: {
  readonly panel: PanelJson;
  readonly fields: readonly Field[];
  readonly span: Span;
  readonly height: number;
}): JSX.Element {
  const { panel, fields, span, height } = props;
  const [time, ...rows] = fields;
  const columns = useMemo(
    () =>
      (time?.values ?? []).map((atMs, i) => ({
        atMs: atMs as number,
        cells: rows.map(({ values }, row) => [row, Number(values[i] ?? 0)] as const),
      })),
    [fields],
  );
  const nameOf = useMemo(() => {
    return (row: number): string => (Number.isInteger(row) ? (rows[row]?.title ?? '') : '');
  }, [fields]);
  const exponent = (panel.options['color'] as { exponent?: number } | undefined)?.exponent ?? 0.5;
  return (
    <Heat
      columns={columns}
      fromMs={span.fromMs}
      toMs={span.toMs}
      height={height}
      label={panel.title ?? 'heat map'}
      nameOf={nameOf}
      exponent={exponent}
    />
  );
}
