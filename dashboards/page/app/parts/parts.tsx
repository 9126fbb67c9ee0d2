/** Small parts that every view uses. */
import type { ComponentChildren, JSX } from 'preact';
import type { AskError, Asked } from '../ask.ts';
import { whole } from '../words.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'quiet' | '';

export function View(props: {
  readonly title: string;
  readonly question: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <main class="view" id="view" tabIndex={-1} data-view={props.title}>
      <header>
        <h1>{props.title}</h1>
        <p>{props.question}</p>
      </header>
      {props.children}
    </main>
  );
}

export function Card(props: {
  readonly title: string;
  readonly note?: string;
  readonly size?: 'whole' | 'wide' | 'slim' | '';
  readonly more?: JSX.Element | null;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <section class={`card ${props.size ?? ''}`} aria-label={props.title}>
      <header>
        <h2>{props.title}</h2>
        {props.note === undefined ? null : <p>{props.note}</p>}
        {props.more}
      </header>
      {props.children}
    </section>
  );
}

export function Figure(props: {
  readonly value: string;
  readonly name: string;
  readonly tone?: Tone;
  readonly id?: string;
}): JSX.Element {
  return (
    <div class="figure">
      <b class={props.tone ?? ''} id={props.id}>
        {props.value}
      </b>
      <span>{props.name}</span>
    </div>
  );
}

/** A grade, state or outcome with its colour; the word says the same. */
export function Mark({ of, word }: { readonly of: string; readonly word?: string }): JSX.Element {
  return (
    <span class="mark" data-color={of}>
      {word ?? of}
    </span>
  );
}

export function Notice(props: { readonly tone: Tone; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div class="notice" data-tone={props.tone}>
      {props.children}
    </div>
  );
}

export function Failed({ error, again }: { readonly error: AskError; readonly again?: () => void }): JSX.Element {
  return (
    <div class="notice" data-tone="bad" role="alert">
      <p>
        <b>This could not be asked: {error.message}</b>
      </p>
      <p>
        {error.next} {again === undefined ? null : <button onClick={again}>Ask again</button>}
      </p>
    </div>
  );
}

/** What an answer is shown as, whatever has become of it. */
export function Answered<T>(props: {
  readonly asked: Asked<T>;
  readonly children: (value: T) => ComponentChildren;
}): JSX.Element {
  const { value, error, again } = props.asked;
  return (
    <>
      {error === null ? null : <Failed error={error} again={again} />}
      {value === null ? error === null ? <Waiting /> : null : props.children(value)}
    </>
  );
}

export function Waiting(): JSX.Element {
  return (
    <p class="waiting" role="status">
      asking…
    </p>
  );
}

export function Empty({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return <p class="empty">{children}</p>;
}

/** A table that scrolls by itself where it is wider than its place; then it can be reached by keyboard. */
export function Rows(props: { readonly name: string; readonly children: ComponentChildren }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={props.name}>
      <table>{props.children}</table>
    </div>
  );
}

export function Bar({
  parts,
  label,
}: {
  readonly parts: readonly (readonly [color: string, share: number])[];
  readonly label: string;
}): JSX.Element {
  return (
    <span class="bar" role="img" aria-label={label}>
      {parts.map(([color, share]) =>
        share > 0 ? <i key={color} data-color={color} class={color} style={{ flexGrow: share }} /> : null,
      )}
      <i style={{ flexGrow: Math.max(0, 1 - parts.reduce((sum, [, share]) => sum + share, 0)), minWidth: 0 }} />
    </span>
  );
}

export function Pager(props: {
  readonly offset: number;
  readonly limit: number;
  readonly shown: number;
  readonly total: number;
  readonly turn: (offset: number) => void;
}): JSX.Element | null {
  const { offset, limit, shown, total, turn } = props;
  if (total <= limit && offset === 0) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <button disabled={offset === 0} onClick={() => turn(Math.max(0, offset - limit))}>
        ‹ Before
      </button>
      <span>
        {shown === 0 ? 'none' : `${whole(offset + 1)}–${whole(offset + shown)}`} of {whole(total)}
      </span>
      <button disabled={offset + shown >= total} onClick={() => turn(offset + limit)}>
        After ›
      </button>
    </nav>
  );
}
