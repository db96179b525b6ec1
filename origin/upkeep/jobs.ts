import type { jobNames } from '../../shared/contract.ts'
import type { OriginConfig } from '../config.ts'

export type JobName = (typeof jobNames)[number]

export interface UpkeepJob {
  name: JobName
  /** A cron expression of five fields, in UTC. */
  cron: string
  /** null where the job deletes nothing by age, or has fixed ages. */
  keepDays: number | null
}

type Ages = Pick<
  OriginConfig,
  'AUDIT_LOG_DAYS' | 'LOGIN_ATTEMPT_DAYS' | 'RATE_LIMIT_LOG_DAYS' | 'USAGE_DAYS' | 'UNVERIFIED_ACCOUNT_DAYS'
>

/**
 * The jobs are implemented in the database: `upkeep_batch` in sql/0031. Their times differ by some
 * minutes.
 */
export function upkeepJobs(ages: Ages): readonly UpkeepJob[] {
  return [
    { name: 'refresh_views', cron: '*/5 * * * *', keepDays: null },
    { name: 'make_partitions', cron: '12 0 * * *', keepDays: null },
    { name: 'expired_tokens', cron: '12 2 * * *', keepDays: null },
    { name: 'rate_limit_logs', cron: '22 2 * * *', keepDays: ages.RATE_LIMIT_LOG_DAYS },
    { name: 'usage_days', cron: '27 2 * * *', keepDays: ages.USAGE_DAYS },
    { name: 'mail_outbox', cron: '32 2 * * *', keepDays: 30 },
    // Without an age the job removes nothing.
    { name: 'unverified_accounts', cron: '42 2 * * *', keepDays: ages.UNVERIFIED_ACCOUNT_DAYS || null },
    { name: 'login_attempts', cron: '12 3 * * 0', keepDays: ages.LOGIN_ATTEMPT_DAYS },
    { name: 'audit_logs', cron: '22 3 * * 0', keepDays: ages.AUDIT_LOG_DAYS },
    { name: 'upkeep_runs', cron: '32 3 * * 0', keepDays: 90 },
  ]
}
