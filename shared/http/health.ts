import { withTimeout } from '../lib/with-timeout.ts'

export type HealthStatus = 'pass' | 'warn' | 'fail'

export interface HealthCheck {
  status: HealthStatus
  /** How long the check took. */
  time_ms?: number
  detail?: string
}

/** In the form of draft-inadarei-api-health-check. */
export interface HealthResponse {
  status: HealthStatus
  checks: Record<string, HealthCheck>
}

/** The worst of the checks; `fail` returns 503, so that load balancers need no body. */
export function healthResponse(
  checks: Record<string, HealthCheck>,
  more: Record<string, unknown> = {},
): Response {
  const statuses = Object.values(checks).map(({ status }) => status)
  const status = statuses.includes('fail') ? 'fail' : statuses.includes('warn') ? 'warn' : 'pass'
  return Response.json({ ...more, status, checks } satisfies HealthResponse, {
    status: status === 'fail' ? 503 : 200,
    headers: { 'content-type': 'application/health+json', 'cache-control': 'no-store' },
  })
}

/** Runs a check with a timeout: a check that hangs has failed. */
export async function check(ask: () => Promise<unknown>, timeoutMs = 1000): Promise<HealthCheck> {
  const startedAt = performance.now()
  const timeMs = () => Math.round(performance.now() - startedAt)
  try {
    await withTimeout(timeoutMs, ask())
    return { status: 'pass', time_ms: timeMs() }
  } catch (error) {
    // The error's text may name hosts and users, so it is not returned.
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unavailable'
    return { status: 'fail', time_ms: timeMs(), detail: code }
  }
}
