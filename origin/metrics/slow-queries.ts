import type { Log } from '../../shared/lib/log.ts'
import type { MeasuredQuery } from './measured-sql.ts'

/** Logs each query that took `slowMs` or longer, without its values. */
export function logSlowQueries(log: Log, slowMs: number) {
  return function logSlow({ seconds, failed, text }: MeasuredQuery): void {
    const durationMs = Math.round(seconds * 1000)
    if (durationMs >= slowMs) log.warn({ duration_ms: durationMs, failed, query: text() }, 'slow query')
  }
}
