import type { Secrets } from '../../../dev/secrets.ts'
import type { DurablePostgres } from '../../common/durable-postgres.ts'
import type { Report } from '../../common/report.ts'

interface BenchOptions {
  server: DurablePostgres
  secrets: Secrets
  /** Long rounds and many of them, for figures to publish. */
  isFull: boolean
  report: Report
}

/** One question, on a database of its own. */
export type BenchPart = (options: BenchOptions) => Promise<void>
