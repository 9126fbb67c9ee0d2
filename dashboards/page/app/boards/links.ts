/** Links of the JSON, which lead into a Grafana, as they lead within the page. */
import type { Cell } from './frames.ts';

const dashboardPath = /^\/d\/([\w-]+)/;

/** Null for what leads nowhere here. @param row cells by the name of their column. */
export function linkOf(
  url: string,
  row: ReadonlyMap<string, Cell>,
  range: { readonly from: string; readonly to: string },
): string | null {
  const filled = url.replaceAll(/\$\{__data\.fields\["([^"]+)"\]\}/g, (_whole, name: string) =>
    encodeURIComponent(String(row.get(name) ?? '')),
  );
  if (filled.startsWith('${runbooks}/')) return `/runbooks/${filled.slice('${runbooks}/'.length)}`;
  const uid = dashboardPath.exec(filled)?.[1];
  if (uid === undefined) return null;
  const query = new URLSearchParams({ from: range.from, to: range.to });
  for (const [name, value] of new URLSearchParams(filled.split('?')[1] ?? ''))
    if (name.startsWith('var-') && !value.includes('${')) query.set(name, value);
  return `/dashboards/${uid}?${query.toString()}`;
}
