/** W3C trace context: from a request's header, through the span of its handling, into the headers of the log's records. */
import { isSpanContextValid, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { describeError } from '#mesh/errors.ts';

const traceparentPattern = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * Runs `work` inside a span that continues the caller's trace or starts one.
 * @param traceparent the request's header, if any; one that is not well-formed starts a new trace.
 * @param work is given the headers to append with: empty where there is no trace to continue.
 */
export async function traced<T>(
  name: string,
  traceparent: string | undefined,
  work: (headers: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const match = traceparentPattern.exec(traceparent ?? '');
  const parent =
    match === null ? undefined : { traceId: match[1] as string, spanId: match[2] as string, isRemote: true };
  const context =
    parent === undefined
      ? ROOT_CONTEXT
      : trace.setSpanContext(ROOT_CONTEXT, {
          ...parent,
          traceFlags: Number.parseInt((match as RegExpExecArray)[3] as string, 16),
        });
  const span = trace.getTracer('meshward.collector').startSpan(name, { kind: SpanKind.SERVER }, context);
  try {
    return await work(headersOf(span));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(error) });
    throw error;
  } finally {
    span.end();
  }
}

function headersOf(span: Span): Readonly<Record<string, string>> {
  const context = span.spanContext();
  if (!isSpanContextValid(context)) return {};
  return { traceparent: `00-${context.traceId}-${context.spanId}-${context.traceFlags.toString(16).padStart(2, '0')}` };
}
