/** Which view is shown: by the path of the address, so that every view can be linked to and the browser's own back works. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

export interface Route {
  readonly path: string;
  readonly query: URLSearchParams;
}

const listeners = new Set<() => void>();

function here(): Route {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

export function useRoute(): Route {
  const [route, setRoute] = useState(here);
  useEffect(() => {
    const changed = (): void => setRoute(here());
    listeners.add(changed);
    addEventListener('popstate', changed);
    return () => {
      listeners.delete(changed);
      removeEventListener('popstate', changed);
    };
  }, []);
  return route;
}

/** @param replaces the entry of the history, where going back should not lead to every step. */
export function go(to: string, replaces = false): void {
  if (replaces) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  for (const changed of listeners) changed();
}

/** The present address with other values in its query; null takes one out. */
export function withQuery(change: Readonly<Record<string, string | number | null>>): string {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, String(value));
  }
  const text = query.toString();
  return `${location.pathname}${text === '' ? '' : `?${text}`}`;
}

interface LinkProps extends Omit<JSX.AnchorHTMLAttributes, 'href'> {
  readonly href: string;
  readonly children?: ComponentChildren;
}

/** A link within the page; opened elsewhere as every link can be. */
export function Link({ href, children, ...rest }: LinkProps): JSX.Element {
  const follow = (event: MouseEvent): void => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(href);
  };
  return (
    <a {...rest} href={href} onClick={follow}>
      {children}
    </a>
  );
}
