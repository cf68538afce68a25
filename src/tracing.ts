// Traces across request, relay and delivery, when OTEL_EXPORTER_OTLP_ENDPOINT says where to send them; otherwise this
// costs a comparison. The trace travels in the history entry and the delivery, so that it survives whoever dies between.
import { type Context, context, SpanStatusCode, trace } from '@opentelemetry/api';

type Attributes = Record<string, string | number | boolean>;

let on = false;
const tracer = () => trace.getTracer('switchboard');

/** W3C traceparent of what runs now. */
export function traceparent(): string | undefined {
  const now = on ? trace.getActiveSpan()?.spanContext() : undefined;
  return now && `00-${now.traceId}-${now.spanId}-${now.traceFlags.toString(16).padStart(2, '0')}`;
}

function under(parent: string | undefined): Context {
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(parent ?? '') ?? [];
  if (!traceId || !spanId) return context.active();
  const traceFlags = Number.parseInt(flags ?? '01', 16);
  return trace.setSpanContext(context.active(), { traceId, spanId, traceFlags, isRemote: true });
}

/** Does the work under a span of its own. */
export function traced<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  parent?: string,
): Promise<T> {
  if (!on) return work();
  return tracer().startActiveSpan(name, { attributes }, under(parent), async (span) => {
    try {
      return await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
      throw error;
    } finally {
      span.end();
    }
  });
}

/** The function that stops, sending what is left. */
export async function startTracing(endpoint: string, version: string): Promise<() => Promise<void>> {
  const [{ BatchSpanProcessor, NodeTracerProvider }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, '')}/v1/traces` });
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'switchboard', 'service.version': version }),
    spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 1_000 })],
  });
  provider.register();
  on = true;
  return async () => {
    on = false;
    await provider.shutdown();
    trace.disable();
    context.disable();
  };
}
