import {
  createTraceState,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { passableState, readTraceparent } from '../../http/trace-context.ts'
import type { RequestSpan, TracedRequest } from '../../http/tracing.ts'
import type { Log } from '../../lib/log.ts'

/** Longest wait for the last spans at shutdown. */
const closeMs = 2000

const always = () => new AlwaysOnSampler()
const never = () => new AlwaysOffSampler()
const byRatio = (ratio: number) => new TraceIdRatioBasedSampler(ratio)

/** OTEL_TRACES_SAMPLER, by the values that the specification knows; the argument is a ratio. */
const samplers: Record<string, (ratio: number) => Sampler> = {
  always_on: always,
  always_off: never,
  traceidratio: byRatio,
  parentbased_always_on: () => new ParentBasedSampler({ root: always() }),
  parentbased_always_off: () => new ParentBasedSampler({ root: never() }),
  parentbased_traceidratio: (ratio) => new ParentBasedSampler({ root: byRatio(ratio) }),
}

function samplerOf(environment: NodeJS.ProcessEnv): Sampler {
  const { OTEL_TRACES_SAMPLER: name = 'parentbased_always_on', OTEL_TRACES_SAMPLER_ARG: argument = '1' } =
    environment
  const create = samplers[name]
  const ratio = Number(argument)
  if (!create)
    throw new Error(`OTEL_TRACES_SAMPLER is ${name}, which is none of ${Object.keys(samplers).join(', ')}`)
  if (!(ratio >= 0 && ratio <= 1)) throw new Error('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1')
  return create(ratio)
}

/**
 * One span for each request that a service answers, as OpenTelemetry's conventions for HTTP have
 * it, handed over in batches. An unavailable receiver costs only spans: the queue is bounded.
 *
 * @throws Error for a sampler that is none
 */
export function createTracing(service: string, log: Log) {
  const say = (level: 'debug' | 'warn') => (message: string) => log[level]({ reason: message }, 'tracing')
  diag.setLogger(
    { verbose: say('debug'), debug: say('debug'), info: say('debug'), warn: say('warn'), error: say('warn') },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ 'service.name': `gatehouse-${service}` }))
      .merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(process.env),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  })
  const tracer = provider.getTracer('gatehouse')

  /** Continues the caller's trace, or begins a new one. */
  function parentOf(request: TracedRequest) {
    const caller = readTraceparent(request.traceparent)
    if (!caller) return ROOT_CONTEXT
    const state = passableState(request)
    return trace.setSpanContext(ROOT_CONTEXT, {
      traceId: caller.traceId,
      spanId: caller.parentId,
      traceFlags: caller.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
      isRemote: true,
      ...(state !== undefined && { traceState: createTraceState(state) }),
    })
  }

  return {
    beginSpan(request: TracedRequest): RequestSpan {
      const { method, requestId } = request
      const attributes = { 'http.request.method': method, 'gatehouse.request_id': requestId }
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parentOf(request))
      const { traceId, spanId, traceFlags, traceState } = span.spanContext()
      const flags = traceFlags.toString(16).padStart(2, '0')
      return {
        traceId,
        outgoingTrace: {
          traceparent: `00-${traceId}-${spanId}-${flags}`,
          tracestate: traceState?.serialize(),
        },
        end({ route, status }) {
          if (route !== undefined) {
            span.updateName(`${method} ${route}`)
            span.setAttribute('http.route', route)
          }
          span.setAttribute('http.response.status_code', status)
          if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },

    async close(): Promise<void> {
      const closed = provider
        .shutdown()
        .catch((error: Error) => log.warn({ err: error }, 'traces not exported'))
      const { promise: timeout, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, closeMs)
      await Promise.race([closed, timeout])
      clearTimeout(timer)
    },
  }
}
