/**
 * The committed dashboards, asked live: a reader names a dashboard, a panel, values and a span; which statement that is, only the JSON says.
 * Values stand in statements, so none is taken that is not among the choices which the database gives for its variable.
 */
import { MeshwardError } from '#mesh/errors.ts';
import type { PlainDashboard, PlainVariable } from '../../grafana/build/plain.ts';
import { expandMacros, expandVariables, type VariableValue } from '../../grafana/query/expand.ts';
import {
  choiceOf,
  firstChoice,
  intervalOfPanel,
  panelsOf,
  type Span,
  variableSql,
} from '../../grafana/query/questions.ts';
import type { BoardAnswer, BoardReader } from './reader.ts';

export type Chosen = Readonly<Record<string, string | readonly string[]>>;

export interface Choice {
  readonly text: string;
  readonly value: string;
}

export interface VariableAnswer {
  readonly name: string;
  readonly label: string;
  readonly description: string;
  readonly kind: 'one' | 'several' | 'text';
  readonly choices: readonly Choice[];
  readonly value: string | readonly string[];
}

export interface AnnotationAnswer {
  readonly name: string;
  readonly color: string;
  readonly answer: BoardAnswer;
}

const mostChoices = 2000;
/** What could end a text in a statement; Grafana's plugin writes some values as they are. */
const unsafe = /[\\'"`\p{Cc}]/u;
const typed = /^[\w.:@+=/ -]{0,100}$/;

export class BoardAnswers {
  readonly #boards: ReadonlyMap<string, PlainDashboard>;
  readonly #reader: BoardReader;
  readonly #database: string;

  constructor(boards: readonly PlainDashboard[], reader: BoardReader, database: string) {
    this.#boards = new Map(boards.map((board) => [board.uid, board]));
    this.#reader = reader;
    this.#database = database;
  }

  list(): readonly { readonly uid: string; readonly title: string; readonly description: string }[] {
    return [...this.#boards.values()].map(({ uid, title, description = '' }) => ({ uid, title, description }));
  }

  /** @throws MeshwardError `bad-input`; so do all below. */
  board(uid: string): PlainDashboard {
    const board = this.#boards.get(uid);
    if (board !== undefined) return board;
    throw new MeshwardError('bad-input', 'there is no dashboard of this name', { next: 'See /dashboards.' });
  }

  async variables(uid: string, chosen: Chosen, span: Span): Promise<readonly VariableAnswer[]> {
    const answers: VariableAnswer[] = [];
    await this.#fill(this.board(uid), chosen, span, (answer) => answers.push(answer));
    return answers;
  }

  async panel(uid: string, id: number, chosen: Chosen, span: Span): Promise<readonly BoardAnswer[]> {
    const board = this.board(uid);
    const panel = panelsOf(board).find((each) => each.id === id);
    if (panel === undefined)
      throw new MeshwardError('bad-input', 'the dashboard has no such panel', { next: 'Load the page again.' });
    const values = await this.#fill(board, chosen, span);
    const intervalMs = intervalOfPanel(panel, span);
    return Promise.all(panel.targets.map(({ rawSql }) => this.#ask(rawSql, values, span, intervalMs)));
  }

  async annotations(uid: string, chosen: Chosen, span: Span): Promise<readonly AnnotationAnswer[]> {
    const board = this.board(uid);
    const values = await this.#fill(board, chosen, span);
    return Promise.all(
      board.annotations.list.map(async ({ name, iconColor, target }) => {
        return { name, color: iconColor, answer: await this.#ask(target.rawSql, values, span, 60_000) };
      }),
    );
  }

  #ask(sql: string, values: ReadonlyMap<string, VariableValue>, span: Span, intervalMs: number): Promise<BoardAnswer> {
    return this.#reader.ask(expandMacros(expandVariables(sql, values), { ...span, intervalMs }));
  }

  /** Values of every variable, in the order in which they depend on each other. */
  async #fill(
    board: PlainDashboard,
    chosen: Chosen,
    span: Span,
    tell: (answer: VariableAnswer) => void = () => undefined,
  ): Promise<ReadonlyMap<string, VariableValue>> {
    const values = new Map<string, VariableValue>();
    for (const variable of board.templating.list) {
      const { name, label = name, description = '', multi } = variable;
      const wanted = chosen[name];
      const sql = variableSql(variable);
      if (name === 'database') values.set(name, this.#database);
      else if (variable.type === 'textbox') {
        const value = typedValue(variable, wanted);
        values.set(name, value);
        tell({ name, label, description, kind: 'text', choices: [], value });
      } else if (sql === undefined) values.set(name, typeof variable.query === 'string' ? variable.query : '');
      else {
        const choices = await this.#choices(variable, sql, values, span);
        const value = chosenOf(variable, choices, wanted);
        values.set(name, value);
        tell({ name, label, description, kind: multi === true ? 'several' : 'one', choices, value });
      }
    }
    return values;
  }

  async #choices(
    variable: PlainVariable,
    sql: string,
    values: ReadonlyMap<string, VariableValue>,
    span: Span,
  ): Promise<readonly Choice[]> {
    const { rows } = await this.#ask(sql, values, span, 60_000);
    return rows
      .flatMap(([row]) => choiceOf(variable, String(row)) ?? [])
      .filter(({ value }) => !unsafe.test(value))
      .slice(0, mostChoices);
  }
}

/** What a reader chose, as far as it is there still; otherwise what stands chosen at first. */
function chosenOf(
  variable: PlainVariable,
  choices: readonly Choice[],
  wanted: Chosen[string] | undefined,
): VariableValue {
  const known = choices.map(({ value }) => value);
  const list = typeof wanted === 'string' ? [wanted] : (wanted ?? []);
  const there = list.filter((value) => known.includes(value));
  if (there.length === 0) return firstChoice(variable, known);
  return variable.multi === true ? there : (there[0] as string);
}

function typedValue({ name, query }: PlainVariable, wanted: Chosen[string] | undefined): string {
  const value = typeof wanted === 'string' ? wanted : typeof query === 'string' ? query : '';
  if (typed.test(value)) return value;
  throw new MeshwardError('bad-input', `what was typed for ${name} has characters that it cannot have`, {
    next: 'Use letters, digits and plain marks.',
  });
}
