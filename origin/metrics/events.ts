import { Counter, Histogram, type Registry } from 'prom-client'
import type { ErrorCode } from '../../shared/http/errors.ts'
import type { MatchedRoute } from '../../shared/http/request-lifecycle.ts'
import type { LoginKind } from '../auth/rules.ts'
import type { RegistrationKind } from '../auth/service.ts'
import type { StepUpOutcome } from '../factors/step-up.ts'
import type { ExchangeKind } from '../legacy/service.ts'
import type { DeliveryKind } from '../mail/outbox.ts'
import type { OAuthErrorCode } from '../oauth/errors.ts'
import type { PresentedTokenKind } from '../sessions/service.ts'
import type { JobName } from '../upkeep/jobs.ts'
import type { RunKind } from '../upkeep/runner.ts'
import type { MeasuredQuery } from './measured-sql.ts'

/** A task of the threads that hash passwords and estimate their strength. */
export interface PasswordTask {
  task: string
  /** Seconds, the wait for a thread included. */
  seconds: number
  shed: boolean
}

/** Seconds. The bound of the alert, 0.1, is a bucket. */
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const queryBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30]
const passwordBuckets = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const lagBuckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30, 300]

/**
 * Metrics that the origin counts: one function per event, called after its commit. Every label has
 * a fixed set of values.
 */
export function createEventMetrics(registry: Registry) {
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name: `gatehouse_origin_${name}`, help, labelNames, registers })
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: number[],
    ...labelNames: Label[]
  ) => new Histogram({ name: `gatehouse_origin_${name}`, help, labelNames, buckets, registers })

  const requests = counter('http_requests_total', 'Requests answered.', 'method', 'route', 'status')
  const requestSeconds = histogram(
    'http_request_duration_seconds',
    'From the head of a request to that of its response.',
    requestBuckets,
    'method',
    'route',
  )
  const rejections = counter('refusals_total', 'Requests refused or failed, by problem code.', 'code')
  const logins = counter(
    'logins_total',
    'Logins tried, by how they ended: mfa_required is followed by another outcome.',
    'outcome',
  )
  const stepUps = counter('step_ups_total', 'Sessions to authenticate again, by how that ended.', 'outcome')
  const registrations = counter(
    'registrations_total',
    'Registrations answered 202, by what they were.',
    'outcome',
  )
  const refreshes = counter('refreshes_total', 'Refresh tokens presented, by what became of them.', 'outcome')
  const exchanges = counter(
    'legacy_exchanges_total',
    'Tokens of former systems presented for exchange, by what became of them.',
    'outcome',
  )
  const passwordSeconds = histogram(
    'password_task_duration_seconds',
    'Hashing and judging a password, the wait for a thread included.',
    passwordBuckets,
    'task',
  )
  const passwordsShed = counter(
    'password_tasks_shed_total',
    'Password tasks rejected because their queue was full or too slow.',
  )
  const queries = counter(
    'database_queries_total',
    'Database queries, by their first words: rows of the audit log are insert into audit_logs.',
    'statement',
    'outcome',
  )
  const failures = counter(
    'database_failures_total',
    'Queries that the database could not serve at that moment, by reason.',
    'reason',
  )
  const querySeconds = histogram(
    'database_query_duration_seconds',
    'Database queries, the wait for a connection included.',
    queryBuckets,
  )
  const mails = counter(
    'mails_total',
    'Tries to hand a mail to the mail server, by how they ended.',
    'outcome',
  )
  const limited = counter(
    'limited_total',
    'Requests and mails that a limit of the origin refused, by limit.',
    'limit',
  )
  const published = counter('revocations_published_total', 'Revocations published to the stream.')
  const publishLag = histogram(
    'revocation_publish_lag_seconds',
    'From the cause of a revocation to its being in the stream.',
    lagBuckets,
  )
  const upkeepRows = counter(
    'upkeep_rows_total',
    'Rows that the upkeep of this process removed or moved; of unverified_accounts the accounts.',
    'task',
  )
  const upkeepRuns = counter(
    'upkeep_runs_total',
    'Upkeep done by this process, by how it ended.',
    'task',
    'outcome',
  )

  return {
    /**
     * @param route the pattern that matched; all requests without a route are one series, as
     * clients choose the paths
     */
    recordResponse(route: MatchedRoute | undefined, status: number, seconds: number) {
      const labels = { method: route?.method ?? 'any', route: route?.path ?? 'none' }
      requests.inc({ ...labels, status })
      requestSeconds.observe(labels, seconds)
    },
    recordRejection: (code: ErrorCode | OAuthErrorCode) => rejections.inc({ code }),
    loginEnded: (outcome: LoginKind) => logins.inc({ outcome }),
    stepUpEnded: (outcome: StepUpOutcome['kind']) => stepUps.inc({ outcome }),
    registrationEnded: (outcome: RegistrationKind) => registrations.inc({ outcome }),
    refreshEnded: (outcome: PresentedTokenKind) => refreshes.inc({ outcome }),
    exchangeEnded: (outcome: ExchangeKind) => exchanges.inc({ outcome }),
    passwordTaskEnded({ task, seconds, shed }: PasswordTask) {
      if (shed) passwordsShed.inc()
      else passwordSeconds.observe({ task }, seconds)
    },
    queryEnded({ statement, seconds, failed, failure }: MeasuredQuery) {
      if (failure) failures.inc({ reason: failure })
      queries.inc({ statement, outcome: failed ? 'failed' : 'succeeded' })
      querySeconds.observe(seconds)
    },
    limitExceeded: (limit: string) => limited.inc({ limit }),
    mailAttempted: (outcome: DeliveryKind) => mails.inc({ outcome }),
    /** @param lags seconds from the cause of each revocation to its entry in the stream */
    revocationsPublished(lags: readonly number[]) {
      published.inc(lags.length)
      for (const lag of lags) publishLag.observe(lag)
    },
    upkeepEnded(job: JobName, outcome: RunKind, rows: number) {
      upkeepRuns.inc({ task: job, outcome })
      upkeepRows.inc({ task: job }, rows)
    },
  }
}
