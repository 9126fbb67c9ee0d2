/**
 * Traces as every room makes them: W3C trace context in the headers of requests and of the log's records, spans by the
 * global OpenTelemetry API. Where no address for traces is configured that API does nothing, and all of this costs nothing.
 */
import {
  type Context,
  context as contexts,
  isSpanContextValid,
  type Link,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { describeError, MeshwardError } from './errors.ts';

/** Name of the header, of requests and of records. */
export const traceHeader = 'traceparent';

const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** A span that was joined by more others names the newest of them. */
export const mostLinks = 32;

export function tracerOf(room: string): Tracer {
  return trace.getTracer(`meshward.${room}`);
}

/** Undefined where the header is missing or is none. */
export function readTraceparent(traceparent: string | undefined): SpanContext | undefined {
  if (traceparent === undefined) return undefined;
  const match = traceparentPattern.exec(traceparent);
  if (match === null) return undefined;
  const [, traceId = '', spanId = '', flags = ''] = match;
  const found = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(found) ? found : undefined;
}

/** Whether somebody keeps the trace: of others nothing needs to be noted. */
export function isKept(traceparent: string | undefined): traceparent is string {
  const found = readTraceparent(traceparent);
  return found !== undefined && (found.traceFlags & TraceFlags.SAMPLED) !== 0;
}

/** What a span goes on from; a new trace where there is no such header. */
export function contextOf(traceparent: string | undefined): Context {
  const found = readTraceparent(traceparent);
  return found === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, found);
}

export function traceparentOf(span: Span): string | undefined {
  const found = span.spanContext();
  if (!isSpanContextValid(found)) return undefined;
  return `00-${found.traceId}-${found.spanId}-${found.traceFlags.toString(16).padStart(2, '0')}`;
}

/** To send with what follows from the span; empty where there is no trace to go on with. */
export function headersOf(span: Span): Readonly<Record<string, string>> {
  const traceparent = traceparentOf(span);
  return traceparent === undefined ? {} : { [traceHeader]: traceparent };
}

/** The newest of them, each once: where several traces come together, only one can be the parent. */
export function linksTo(traceparents: Iterable<string>): Link[] {
  const newest = [...new Set(traceparents)].slice(-mostLinks);
  return newest.flatMap((traceparent) => {
    const context = readTraceparent(traceparent);
    return context === undefined ? [] : [{ context }];
  });
}

/** Runs with the span as the active one; it ends with the work, and as an error where that fails. */
export async function inSpan<T>(
  tracer: Tracer,
  name: string,
  { parent = contexts.active(), ...options }: SpanOptions & { readonly parent?: Context },
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(name, options, parent);
  try {
    return await contexts.with(trace.setSpan(parent, span), () => work(span));
  } catch (error) {
    failSpan(span, error);
    throw error;
  } finally {
    span.end();
  }
}

export function failSpan(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(error) });
  span.setAttribute('error.type', error instanceof MeshwardError ? error.code : 'internal');
}
