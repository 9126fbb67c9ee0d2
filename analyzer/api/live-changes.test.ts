import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LiveChanges } from './live-changes.ts';

const read = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

describe('changes that viewers follow', () => {
  it('are all there for a new viewer, and only the newer ones for one who has seen some', () => {
    const changes = new LiveChanges();
    changes.set('mesh', { files: 1 });
    changes.set('brake', null);
    changes.setRows('domains', new Map([['a', [1]]]));
    changes.append('moments', [1, 2, 3], 2);
    const seen = changes.number;
    expect(read(changes.since(0))).toEqual({ mesh: { files: 1 }, brake: null, domains: { a: [1] }, moments: [2, 3] });
    expect(changes.since(seen)).toBeNull();
    changes.set('mesh', { files: 1 });
    changes.setRows('domains', new Map([['a', [1]]]));
    expect(changes.since(seen)).toBeNull();
    changes.set('mesh', { files: 2 });
    changes.setRows('domains', new Map([['b', [2]]]));
    changes.append('moments', [4], 2);
    expect(read(changes.since(seen))).toEqual({ mesh: { files: 2 }, domains: { a: null, b: [2] }, moments: [4] });
    expect(read(changes.since(0))).toEqual({ mesh: { files: 2 }, brake: null, domains: { b: [2] }, moments: [3, 4] });
  });

  it('lead every viewer to the same rows, however seldom it is sent something', () => {
    const tables = fc.array(fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.nat(3)), { maxLength: 12 });
    fc.assert(
      fc.property(tables, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), (steps, sends) => {
        const changes = new LiveChanges();
        let seen = 0;
        const rows = new Map<string, unknown>();
        const send = (): void => {
          const { table = {} } = (read(changes.since(seen)) ?? {}) as { table?: Record<string, unknown> };
          for (const [key, row] of Object.entries(table)) {
            if (row === null) rows.delete(key);
            else rows.set(key, row);
          }
          seen = changes.number;
        };
        for (const [i, step] of steps.entries()) {
          changes.setRows('table', new Map(Object.entries(step)));
          if (sends[i] === true) send();
        }
        send();
        expect(Object.fromEntries(rows)).toEqual({ ...steps.at(-1) });
      }),
    );
  });
});
