/** Open alerts: what they mean, what to do, and who has taken them on; silences, and what was. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { AlertAnswer, AlertChange, Silence } from '../answers.ts';
import { AskError, tell, useAnswer } from '../ask.ts';
import type { PageFacts } from '../parts/guide.tsx';
import { Answered, Card, Empty, Mark, Notice, Rows, View } from '../parts/parts.tsx';
import { ago, bytes, duration, moment, plural } from '../words.ts';

const refreshMs = 4000;
const hourMs = 3_600_000;
const spans: readonly (readonly [words: string, ms: number])[] = [
  ['30 minutes', hourMs / 2],
  ['2 hours', 2 * hourMs],
  ['8 hours', 8 * hourMs],
  ['1 day', 24 * hourMs],
  ['7 days', 168 * hourMs],
];

export function AlertsView(): JSX.Element {
  const facts = useAnswer<PageFacts>('/page/facts');
  const alerts = useAnswer<{ alerts: readonly AlertAnswer[] }>('/v1/alerts', refreshMs);
  const silences = useAnswer<{ silences: readonly Silence[] }>('/v1/silences', refreshMs);
  const changes = useAnswer<{ changes: readonly AlertChange[] }>('/v1/alerts/history?limit=50', refreshMs);
  const again = (): void => {
    alerts.again();
    silences.again();
  };
  const mayAct = facts.value?.actions === true;
  return (
    <View title="Alerts" question="What needs somebody, and who has taken it on?">
      <div class="grid">
        <section class="whole" aria-label="Open alerts" id="alerts">
          <Answered asked={alerts}>
            {({ alerts: open }) =>
              open.length === 0 ? (
                <section class="card">
                  <Empty>No alert is open.</Empty>
                </section>
              ) : (
                open.map((alert) => <Alert key={alert.id} alert={alert} mayAct={mayAct} again={again} />)
              )
            }
          </Answered>
        </section>
        <Card title="Silences" size="whole" note="of alerts that a selector fits nobody is told; they stay open here">
          <Answered asked={silences}>
            {({ silences: known }) => <Silences silences={known} mayAct={mayAct} again={again} />}
          </Answered>
        </Card>
        <Card title="What was" size="whole" note="newest first">
          <Answered asked={changes}>{({ changes: known }) => <Changes changes={known} />}</Answered>
        </Card>
      </div>
    </View>
  );
}

interface Acting {
  readonly mayAct: boolean;
  readonly again: () => void;
}

function Alert({ alert, mayAct, again }: { readonly alert: AlertAnswer } & Acting): JSX.Element {
  const [form, setForm] = useState<'silence' | 'ack' | null>(null);
  const done = (): void => {
    setForm(null);
    again();
  };
  const runbook = runbookOf(alert.runbookUrl);
  const selector = selectorOf(alert);
  return (
    <article class="card alert" aria-label={alert.summary}>
      <h3>
        <Mark of={alert.severity === 'page' ? 'lost' : 'at-risk'} word={alert.summary} />
      </h3>
      <p class="quiet">{alert.meaning}</p>
      <dl class="facts">
        <dt>since</dt>
        <dd>
          {moment(alert.sinceMs)}, for {duration(Date.now() - alert.sinceMs)}
        </dd>
        {alert.files === 0 ? null : (
          <>
            <dt>at stake</dt>
            <dd>
              {plural(alert.files, 'file')}, {bytes(alert.bytes)}
            </dd>
          </>
        )}
        {alert.timeLeft === '' ? null : (
          <>
            <dt>time left</dt>
            <dd>{alert.timeLeft}</dd>
          </>
        )}
        {alert.repair === '' ? null : (
          <>
            <dt>repair</dt>
            <dd>{alert.repair}</dd>
          </>
        )}
        <dt>what to do</dt>
        <dd>
          {alert.next} {alert.command === '' ? null : <code>{alert.command}</code>}{' '}
          {runbook === null ? null : <a href={runbook}>Runbook</a>}
        </dd>
        {alert.acknowledged === '' ? null : (
          <>
            <dt>taken on</dt>
            <dd class="good">{alert.acknowledged}</dd>
          </>
        )}
        {alert.silenced === '' ? null : (
          <>
            <dt>silent</dt>
            <dd class="warn">{alert.silenced}</dd>
          </>
        )}
      </dl>
      {mayAct ? (
        <div class="buttons">
          <button aria-expanded={form === 'ack'} onClick={() => setForm(form === 'ack' ? null : 'ack')}>
            Acknowledge…
          </button>
          <button aria-expanded={form === 'silence'} onClick={() => setForm(form === 'silence' ? null : 'silence')}>
            Silence…
          </button>
        </div>
      ) : (
        <p class="quiet small">
          <code>meshward alerts ack {alert.id.slice(0, 8)}</code> takes it on;{' '}
          <code>meshward alerts silence {selector} --for 2h --why "…"</code> keeps it quiet.
        </p>
      )}
      {form === 'ack' ? (
        <SpanForm
          action="Acknowledge"
          whyIsWanted={false}
          send={(forMs, why) => tell('/page/acknowledgements', { alertKey: alert.key, alertId: alert.id, forMs, why })}
          done={done}
        />
      ) : null}
      {form === 'silence' ? (
        <SpanForm
          action={`Silence ${selector}`}
          whyIsWanted={true}
          send={(forMs, why) => tell('/page/silences', { selector, forMs, why })}
          done={done}
        />
      ) : null}
    </article>
  );
}

/** Runbooks are served here too, wherever the configured address leads. */
function runbookOf(url: string): string | null {
  const name = /\/([A-Za-z]+\.md)$/.exec(url)?.[1];
  return name === undefined ? null : `/runbooks/${name}`;
}

/** This alert and its like: its name, and the domain that it is about. */
function selectorOf({ alert, labels }: AlertAnswer): string {
  const more = Object.entries(labels).filter(([name]) => !['alert', 'key', 'severity'].includes(name));
  return [alert.replace(/^Meshward/, ''), ...more.map(([name, value]) => `${name}=${value}`)].join(',');
}

function SpanForm(props: {
  readonly action: string;
  readonly whyIsWanted: boolean;
  readonly send: (forMs: number, why: string) => Promise<unknown>;
  readonly done: () => void;
}): JSX.Element {
  const [forMs, setForMs] = useState(2 * hourMs);
  const [why, setWhy] = useState('');
  const [isSending, setSending] = useState(false);
  const [error, setError] = useState<AskError | null>(null);
  const submit = (event: Event): void => {
    event.preventDefault();
    setSending(true);
    setError(null);
    props.send(forMs, why.trim()).then(props.done, (failure: unknown) => {
      setSending(false);
      setError(failure instanceof AskError ? failure : new AskError('internal', String(failure), 'Try it again.'));
    });
  };
  return (
    <form class="inline" onSubmit={submit}>
      <label>
        For
        <select value={forMs} onChange={(event) => setForMs(Number(event.currentTarget.value))}>
          {spans.map(([words, ms]) => (
            <option key={ms} value={ms}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <label>
        Why {props.whyIsWanted ? '(kept with it)' : '(may stay empty)'}
        <input
          type="text"
          required={props.whyIsWanted}
          maxLength={200}
          value={why}
          onInput={(event) => setWhy(event.currentTarget.value)}
        />
      </label>
      <button class="first" type="submit" disabled={isSending}>
        {props.action}
      </button>
      {error === null ? null : (
        <Notice tone="bad">
          <p role="alert">
            <b>{error.message}</b>
          </p>
          <p>{error.next}</p>
        </Notice>
      )}
    </form>
  );
}

function Silences({ silences, mayAct, again }: { readonly silences: readonly Silence[] } & Acting): JSX.Element {
  if (silences.length === 0) return <Empty>There is no silence.</Empty>;
  const end = (id: string): void => {
    void tell(`/page/silences/${id}/end`, {}).then(again, again);
  };
  return (
    <Rows name="Silences">
      <thead>
        <tr>
          <th>selector</th>
          <th>state</th>
          <th>until</th>
          <th>by</th>
          <th>why</th>
          {mayAct ? (
            <th>
              <span class="hidden">end it</span>
            </th>
          ) : null}
        </tr>
      </thead>
      <tbody id="silences">
        {silences.slice(0, 50).map((silence) => (
          <tr key={silence.id}>
            <td class="mono">{silence.selector}</td>
            <td>{silence.isActive ? 'active' : silence.endedBy === '' ? 'expired' : `ended by ${silence.endedBy}`}</td>
            <td>{moment(silence.untilMs)}</td>
            <td>{silence.by}</td>
            <td class="text">{silence.why}</td>
            {mayAct ? (
              <td>{silence.isActive ? <button onClick={() => end(silence.id)}>End it</button> : null}</td>
            ) : null}
          </tr>
        ))}
      </tbody>
    </Rows>
  );
}

function Changes({ changes }: { readonly changes: readonly AlertChange[] }): JSX.Element {
  if (changes.length === 0) return <Empty>No alert has ever been open.</Empty>;
  return (
    <Rows name="What was">
      <thead>
        <tr>
          <th>when</th>
          <th>state</th>
          <th>alert</th>
          <th>what</th>
        </tr>
      </thead>
      <tbody>
        {changes.map((change) => (
          <tr key={`${change.id} ${change.atMs} ${change.state}`}>
            <td title={ago(change.atMs)}>{moment(change.atMs)}</td>
            <td>
              <Mark
                of={change.state === 'resolved' ? 'healthy' : change.severity === 'page' ? 'lost' : 'at-risk'}
                word={change.state}
              />
            </td>
            <td>{change.alert}</td>
            <td class="text">{change.summary}</td>
          </tr>
        ))}
      </tbody>
    </Rows>
  );
}
