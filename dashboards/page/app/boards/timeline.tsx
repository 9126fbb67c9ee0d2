/** A row for each field, a bar for each stretch of one state. */
import type { JSX } from 'preact';
import { clock } from '../words.ts';
import { display, paint } from './display.ts';
import type { Cell, Field } from './frames.ts';
import type { Panel, Span } from './model.ts';

const mostFields = 60;

interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
  readonly value: Cell;
}

function stretchesOf(times: readonly Cell[], values: readonly Cell[], toMs: number): readonly Stretch[] {
  const found: { fromMs: number; toMs: number; value: Cell }[] = [];
  for (const [i, value] of values.entries()) {
    if (value === null) continue;
    const last = found.at(-1);
    const fromMs = times[i] as number;
    if (last !== undefined && last.value === value) continue;
    if (last !== undefined) last.toMs = fromMs;
    found.push({ fromMs, toMs, value });
  }
  return found;
}

export function Timeline(props: {
  readonly panel: Panel;
  readonly frames: readonly (readonly Field[])[];
  readonly span: Span;
}): JSX.Element {
  const { panel, frames, span } = props;
  const [[time, ...fields] = []] = frames;
  const width = span.toMs - span.fromMs;
  const seen = new Map<string, string>();
  return (
    <div class="timeline" tabIndex={0} role="region" aria-label={panel.title ?? 'States over time'}>
      <table>
        <tbody>
          {fields.slice(0, mostFields).map((field) => (
            <tr key={field.title}>
              <th scope="row">{field.title}</th>
              <td>
                {stretchesOf(time?.values ?? [], field.values, span.toMs).map(({ fromMs, toMs, value }) => {
                  const { text, color } = display(field, value);
                  seen.set(text, color);
                  const left = Math.max(0, (fromMs - span.fromMs) / width);
                  const right = Math.min(1, (toMs - span.fromMs) / width);
                  return (
                    <i
                      key={fromMs}
                      title={`${text}, from ${clock(fromMs)} to ${clock(toMs)}`}
                      style={{
                        left: `${left * 100}%`,
                        width: `${Math.max(0.15, (right - left) * 100)}%`,
                        background: paint(color),
                      }}
                    />
                  );
                })}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <ul class="board-legend list">
        {[...seen].map(([text, color]) => (
          <li key={text}>
            <i class="dot" style={{ background: paint(color) }} /> {text}
          </li>
        ))}
      </ul>
    </div>
  );
}
