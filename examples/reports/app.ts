import { Hono } from 'hono'
import type { VerifyAssertion } from '../../shared/auth/assertion.ts'
import { Problem, problemResponse } from '../../shared/http/errors.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createErrorReporter } from '../../shared/http/report-error.ts'
import { type RequestLogEnv, requestLog } from '../../shared/http/request-log.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { ReportsResponse } from './contract.ts'

interface ReportsOptions {
  verifyAssertion: VerifyAssertion
  log: Log
}

/**
 * A team's own service behind the gateway. It holds no keys but the gateway's public ones and asks
 * nobody who is calling: the assertion says so, and the policy table has checked permission and
 * feature before a request gets here.
 */
export function createReports({ verifyAssertion, log }: ReportsOptions) {
  const reportError = createErrorReporter({ log })
  const app = new Hono<RequestLogEnv>()
  app.use(requestLog(log))
  app.get('/live', (c) => c.json({ status: 'pass' }))

  app.get('/v1/reports', async (c) => {
    const assertion = await verifyAssertion(c.req.header(assertionHeader) ?? '')
    if (!assertion?.user) throw new Problem('untrusted_caller')
    const { email, plan, features } = assertion.user
    return c.json({
      prepared_for: email,
      plan,
      reports: [
        { name: 'active_users', unit: 'people' },
        { name: 'revenue', unit: 'EUR' },
        ...(features.includes('advanced_analytics') ? [{ name: 'retention', unit: 'percent' }] : []),
      ],
    } satisfies ReportsResponse)
  })

  app.notFound(() => {
    throw new Problem('not_found')
  })
  app.onError((error, c) => {
    const lifecycle = c.get('lifecycle')
    return problemResponse(reportError(error, lifecycle), lifecycle.requestId)
  })
  return app
}
