import type { BeginSpan } from '../../http/tracing.ts'
import type { Log } from '../../lib/log.ts'

interface Tracing {
  beginSpan: BeginSpan
  /** Exports the remaining spans. */
  close: () => Promise<void>
}

/** Whether OpenTelemetry's variables enable trace export. */
function isWanted(environment: NodeJS.ProcessEnv): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = environment
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return false
  if (environment.OTEL_TRACES_EXPORTER === 'none') return false
  return Boolean(OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
}

/**
 * Export of traces over OTLP, where the standard variables ask for it; otherwise none of its
 * libraries is even loaded.
 *
 * @returns undefined if traces are not exported
 */
export async function loadTracing(service: string, log: Log): Promise<Tracing | undefined> {
  if (!isWanted(process.env)) return undefined
  const { createTracing } = await import('./otlp-tracing.ts')
  return createTracing(service, log)
}
