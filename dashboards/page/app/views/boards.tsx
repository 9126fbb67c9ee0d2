/** The dashboards of Grafana without a Grafana: from the very JSON, on the mesh's own database. */
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { AskError, askWith, useAnswer } from '../ask.ts';
import type { Answer, Board, Chosen, Mark, Panel as PanelJson, Span, Variable } from '../boards/model.ts';
import { Panel } from '../boards/panel.tsx';
import type { PageFacts } from '../parts/guide.tsx';
import { Answered, Empty, Failed, View } from '../parts/parts.tsx';
import { go, Link, useRoute, withQuery } from '../route.tsx';

interface Listed {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
}

const spans: readonly (readonly [words: string, from: string])[] = [
  ['5 minutes', 'now-5m'],
  ['15 minutes', 'now-15m'],
  ['1 hour', 'now-1h'],
  ['6 hours', 'now-6h'],
  ['24 hours', 'now-24h'],
  ['7 days', 'now-7d'],
  ['30 days', 'now-30d'],
  ['1 year', 'now-1y'],
];
const refreshes: readonly (readonly [words: string, ms: number])[] = [
  ['not by itself', 0],
  ['every 5 s', 5000],
  ['every 30 s', 30_000],
  ['every minute', 60_000],
];
const rowPx = 38;

const short = (title: string): string => title.replace(/^Meshward \/ /, '');

export function BoardsView(): JSX.Element {
  const { path } = useRoute();
  const facts = useAnswer<PageFacts>('/page/facts');
  const list = useAnswer<{ dashboards: readonly Listed[] }>(
    facts.value?.dashboards === true ? '/page/dashboards' : null,
  );
  const uid = path.split('/')[2] ?? '';
  if (facts.value?.dashboards === false) return <WithoutReader />;
  if (list.value === null || facts.value === null)
    return (
      <View title="Dashboards" question="What happened, and since when?">
        <Answered asked={list}>{() => null}</Answered>
      </View>
    );
  const shown = uid === '' ? (list.value.dashboards[0]?.uid ?? '') : uid;
  return <OneBoard key={shown} uid={shown} list={list.value.dashboards} isDemonstration={facts.value.guide} />;
}

function WithoutReader(): JSX.Element {
  return (
    <View title="Dashboards" question="What happened, and since when?">
      <section class="card whole">
        <Empty>
          The page asks for its dashboards as a user of the database who only reads, and none is named: set{' '}
          <code>clickhouse.readerUsername</code> and <code>clickhouse.readerPasswordFile</code>, or point a Grafana at
          the database: <code>meshward dashboards install</code>.
        </Empty>
      </section>
    </View>
  );
}

/** What stands chosen, by the address: `var-NAME`, several times where several are. */
function chosenIn(query: URLSearchParams): Chosen {
  const chosen: Record<string, string | readonly string[]> = {};
  for (const key of new Set(query.keys())) {
    if (!key.startsWith('var-')) continue;
    const values = query.getAll(key);
    chosen[key.slice('var-'.length)] = values.length === 1 ? (values[0] as string) : values;
  }
  return chosen;
}

function OneBoard(props: {
  readonly uid: string;
  readonly list: readonly Listed[];
  readonly isDemonstration: boolean;
}): JSX.Element {
  const { uid, list, isDemonstration } = props;
  const { query } = useRoute();
  const board = useAnswer<Board>(`/page/dashboards/${encodeURIComponent(uid)}`);
  const from = query.get('from') ?? (isDemonstration ? 'now-15m' : (board.value?.time?.from ?? 'now-24h'));
  const to = query.get('to') ?? 'now';
  const [refreshMs, setRefreshMs] = useState(isDemonstration ? 5000 : 60_000);
  const [turn, setTurn] = useState(0);
  const search = query.toString();
  const chosen = useMemo(() => chosenIn(query), [search]);
  const range = useMemo(() => ({ from, to }), [from, to]);
  const { variables, marks, error } = useContext(uid, range, chosen, turn);
  useEffect(() => {
    if (refreshMs === 0) return undefined;
    const timer = setInterval(() => document.visibilityState === 'visible' && setTurn((known) => known + 1), refreshMs);
    return () => clearInterval(timer);
  }, [refreshMs]);
  const values = useMemo(
    () => (variables === null ? null : Object.fromEntries(variables.map(({ name, value }) => [name, value]))),
    [variables],
  );
  return (
    <View
      title={board.value === null ? 'Dashboards' : short(board.value.title)}
      question={board.value?.description ?? ''}
    >
      <nav class="tabs" aria-label="Dashboards">
        {list.map((each) => (
          <Link
            key={each.uid}
            href={`/dashboards/${each.uid}?${kept(query)}`}
            {...(each.uid === uid ? { 'aria-current': 'page' as const } : {})}
          >
            {short(each.title)}
          </Link>
        ))}
      </nav>
      <div class="tools">
        <label>
          Last
          <select
            id="span"
            value={from}
            onChange={(event) => go(withQuery({ from: event.currentTarget.value, to: null }), true)}
          >
            {spans.some(([, each]) => each === from) ? null : <option value={from}>as linked</option>}
            {spans.map(([words, each]) => (
              <option key={each} value={each}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label>
          Again
          <select value={refreshMs} onChange={(event) => setRefreshMs(Number(event.currentTarget.value))}>
            {refreshes.map(([words, ms]) => (
              <option key={ms} value={ms}>
                {words}
              </option>
            ))}
          </select>
        </label>
        {variables?.map((variable) => (
          <VariableField key={variable.name} variable={variable} />
        ))}
      </div>
      {error === null ? null : <Failed error={error} again={() => setTurn((known) => known + 1)} />}
      <Answered asked={board}>
        {(json) =>
          values === null ? null : <Panels board={json} range={range} chosen={values} marks={marks} turn={turn} />
        }
      </Answered>
    </View>
  );
}

/** Time and variables go with the reader from one dashboard to the next. */
function kept(query: URLSearchParams): string {
  const out = new URLSearchParams();
  for (const [name, value] of query)
    if (name === 'from' || name === 'to' || name.startsWith('var-')) out.append(name, value);
  return out.toString();
}

interface Context {
  readonly variables: readonly Variable[] | null;
  readonly marks: readonly Mark[];
  readonly error: AskError | null;
}

const annotationColors: Readonly<Record<string, string>> = {
  red: 'red',
  blue: 'blue',
  orange: 'orange',
  purple: 'purple',
};

function useContext(
  uid: string,
  range: { readonly from: string; readonly to: string },
  chosen: Chosen,
  turn: number,
): Context {
  const [context, setContext] = useState<Context>({ variables: null, marks: [], error: null });
  useEffect(() => {
    const abort = new AbortController();
    const body = { ...range, variables: chosen };
    const fail = (error: unknown): void => {
      if (error instanceof AskError) setContext((known) => ({ ...known, error }));
    };
    askWith<{ span: Span; variables: readonly Variable[] }>(
      `/page/dashboards/${uid}/variables`,
      body,
      abort.signal,
    ).then(
      ({ variables }) =>
        setContext((known) => ({
          ...known,
          error: null,
          // The same values are the same object: panels are not asked for nothing.
          variables: JSON.stringify(known.variables) === JSON.stringify(variables) ? known.variables : variables,
        })),
      fail,
    );
    askWith<{ annotations: readonly { name: string; color: string; answer: Answer }[] }>(
      `/page/dashboards/${uid}/annotations`,
      body,
      abort.signal,
    ).then(({ annotations }) => setContext((known) => ({ ...known, marks: annotations.flatMap(marksOf) })), fail);
    return () => abort.abort();
  }, [uid, range, chosen, turn]);
  return context;
}

function marksOf({ color, answer }: { readonly color: string; readonly answer: Answer }): readonly Mark[] {
  const at = answer.columns.findIndex(({ name }) => name === 'time');
  const text = answer.columns.findIndex(({ name }) => name === 'text');
  return answer.rows.map((row) => ({
    atMs: Date.parse(`${String(row[at]).replace(' ', 'T')}Z`),
    color: annotationColors[color] ?? 'blue',
    words: String(row[text] ?? ''),
  }));
}

function VariableField({ variable }: { readonly variable: Variable }): JSX.Element {
  const { name, label, description, kind, choices, value } = variable;
  const key = `var-${name}`;
  if (kind === 'text')
    return (
      <label title={description}>
        {label}
        <input
          type="text"
          size={28}
          value={String(value)}
          onChange={(event) => go(withQuery({ [key]: event.currentTarget.value.trim() }), true)}
        />
      </label>
    );
  const isAll = typeof value !== 'string' && value.length === choices.length;
  const chosen = typeof value === 'string' ? value : isAll ? '' : (value[0] ?? '');
  return (
    <label title={description}>
      {label}
      <select value={chosen} onChange={(event) => go(withQuery({ [key]: event.currentTarget.value }), true)}>
        {kind === 'several' ? <option value="">all {choices.length}</option> : null}
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.text}
          </option>
        ))}
      </select>
    </label>
  );
}

function Panels(props: {
  readonly board: Board;
  readonly range: { readonly from: string; readonly to: string };
  readonly chosen: Chosen;
  readonly marks: readonly Mark[];
  readonly turn: number;
}): JSX.Element {
  const { board, ...rest } = props;
  return (
    <div class="board" id="board">
      {board.panels.map((panel) => (
        <Placed key={panel.id} panel={panel}>
          {panel.type === 'row' ? (
            <h2>{panel.title}</h2>
          ) : (
            <Panel {...rest} uid={board.uid} panel={panel} height={panel.gridPos.h * rowPx - 50} />
          )}
        </Placed>
      ))}
    </div>
  );
}

function Placed({ panel, children }: { readonly panel: PanelJson; readonly children: JSX.Element }): JSX.Element {
  const { x, w, h } = panel.gridPos;
  const isRow = panel.type === 'row';
  return (
    <div
      class={isRow ? 'board-row' : 'board-cell'}
      style={{
        gridColumn: `${x + 1} / span ${w}`,
        ...(isRow ? {} : { minHeight: `${h * rowPx}px`, maxHeight: `${h * rowPx}px` }),
      }}
    >
      {children}
    </div>
  );
}
