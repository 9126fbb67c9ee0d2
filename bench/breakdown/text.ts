/** Tables for people. */
import type { Breakdown } from '../case.ts';

/** One after the other, each line on a new one; rows of nothing are left out. */
export function breakdownText(breakdown: Breakdown): string {
  return Object.entries(breakdown)
    .map(([title, rows]) => {
      const shown = Object.entries(rows).filter(([, row]) => Object.values(row).some((value) => value >= shownFrom));
      const columns = [...new Set(shown.flatMap(([, row]) => Object.keys(row)))];
      const lines = shown.map(([name, row]) => {
        const values = columns.map((column) => (row[column]?.toFixed(1) ?? '').padStart(column.length));
        return `\n    ${values.join('  ')}  ${name}`;
      });
      return `\n\n    ${columns.join('  ')}  ${title}${lines.join('')}`;
    })
    .join('');
}

/** What is less shows as 0.0. */
const shownFrom = 0.05;
