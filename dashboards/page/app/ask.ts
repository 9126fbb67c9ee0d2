/** The HTTP API as the page asks it, and the one way by which it changes anything. */
import { useEffect, useRef, useState } from 'preact/hooks';

export class AskError extends Error {
  readonly code: string;
  readonly next: string;

  constructor(code: string, message: string, next: string) {
    super(message);
    this.code = code;
    this.next = next;
  }
}

async function answerOf<T>(request: Promise<Response>): Promise<T> {
  let response: Response;
  try {
    response = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new AskError('service-unavailable', 'the analyzer does not answer', 'See that it runs: `meshward doctor`.');
  }
  if (response.ok) return (await response.json()) as T;
  // A login has ended, or there was none: whoever logs in comes back to this view.
  if (response.status === 401) location.assign(`/login?from=${encodeURIComponent(location.pathname)}`);
  const body = (await response.json().catch(() => null)) as { error?: AskError } | null;
  const { code, message, next } = body?.error ?? {};
  throw new AskError(
    code ?? 'internal',
    message ?? `the analyzer answered with status ${response.status}`,
    next ?? 'Look into the log of the analyzer.',
  );
}

export function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answerOf<T>(fetch(path, { headers: { accept: 'application/json' }, ...(signal ? { signal } : {}) }));
}

/** A question with a body; without effect. */
export function askWith<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  return answerOf<T>(send(path, body, signal));
}

/** Everything that the page changes goes through here. */
export function tell<T>(path: string, body: unknown): Promise<T> {
  return answerOf<T>(send(path, body));
}

function send(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  return fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

export interface Asked<T> {
  /** The newest answer; it stays while a newer one is asked for. */
  readonly value: T | null;
  readonly error: AskError | null;
  readonly isAsking: boolean;
  readonly again: () => void;
}

/** Asks when the path changes and every so often; null asks nothing. */
export function useAnswer<T>(path: string | null, everyMs = 0): Asked<T> {
  const [state, setState] = useState<{
    path: string | null;
    value: T | null;
    error: AskError | null;
    isAsking: boolean;
  }>({
    path: null,
    value: null,
    error: null,
    isAsking: false,
  });
  const [turn, setTurn] = useState(0);
  const newest = useRef(0);
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    const number = ++newest.current;
    setState((known) => ({ ...known, isAsking: true }));
    const settle = (value: T | null, error: AskError | null): void => {
      if (number !== newest.current || abort.signal.aborted) return;
      setState((known) => ({
        path,
        value: value ?? (known.path === path ? known.value : null),
        error,
        isAsking: false,
      }));
    };
    ask<T>(path, abort.signal).then(
      (value) => settle(value, null),
      (error: unknown) => error instanceof AskError && settle(null, error),
    );
    const timer = everyMs > 0 ? setTimeout(() => setTurn((known) => known + 1), everyMs) : undefined;
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [path, turn, everyMs]);
  return {
    value: state.value,
    error: state.error,
    isAsking: state.isAsking,
    again: () => setTurn((known) => known + 1),
  };
}
