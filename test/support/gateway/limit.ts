import type { Limit, LimitRule } from '../../../gateway/limits/limit-rule.ts'

interface LimitOptions extends Partial<LimitRule> {
  subject: string
  cost?: number
}

/** One window of one request: by default of a limit of requests with a fixed window. */
export function limitOf({ subject, cost = 1, ...rule }: LimitOptions): Limit {
  const { name = 'address', quota = 1, failuresOnly = false } = rule
  return {
    rule: {
      limit: name,
      name,
      window: 'fixed',
      windowSeconds: 60,
      quota,
      withoutStore: 'share',
      failuresOnly,
      isReportOnly: false,
      mayBeRefunded: failuresOnly,
      costHeader: undefined,
      countsUsage: false,
      ...rule,
    },
    subject,
    quota,
    cost,
  }
}
