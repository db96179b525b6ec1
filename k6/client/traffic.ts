import { check } from 'k6'
import type { RefinedResponse } from 'k6/http'
import { Counter, Rate } from 'k6/metrics'
import { get, login, refresh, remember, visit } from './frontend.ts'
import { rate, seconds } from './load-test-environment.ts'
import { logFailure } from './log-failure.ts'
import { drawKind, type Kind } from './mix.ts'
import { ownUsers, userCount } from './users.ts'

type Answer = RefinedResponse<'text'>

/** Answers that a frontend had no reason to expect. */
const failed = new Rate('frontend_failed')
const unauthorized = new Counter('unauthorized')
const serverErrors = new Counter('server_errors')
/** Requests by class. */
const requests = new Counter('frontend_requests')

/** Enough for answers of a second at the full rate; more would only queue. */
export const frontendVus = Math.max(100, rate)

/**
 * Which share of the users this run is for, of how many: one of before has used up the refresh
 * tokens of its own.
 */
const [share = 0, shares = 1] = (__ENV.SHARE ?? '0/1').split('/').map(Number)
export const shareSize = Math.floor(userCount / shares)
const nextUser = ownUsers(frontendVus, share * shareSize, shareSize)

/** A kind of request alone, for measuring it; by default all in the mix of a product. */
const only = __ENV.ONLY as Kind | undefined

/** An open model: users come when they come, however long those before wait for their answers. */
export const steady = {
  executor: 'constant-arrival-rate',
  exec: 'frontend',
  rate,
  timeUnit: '1s',
  duration: `${seconds}s`,
  preAllocatedVUs: frontendVus,
} as const

/** Thresholds of every scenario with frontends. */
export const frontendThresholds = {
  checks: ['rate==1'],
  frontend_failed: ['rate<0.01'],
  unauthorized: ['count==0'],
  server_errors: ['count==0'],
  // Iterations that k6 itself dropped: a run that sent far fewer requests than it should shows
  // nothing.
  dropped_iterations: [`rate<${rate / 100}`],
}

const ask: Record<Kind, (number: number) => Answer> = {
  feed(number) {
    const user = visit(number)
    const answer = get(user, '/v1/feed', 'feed')
    if (answer.status === 200)
      check(answer, { 'the product was told the right user': (found) => found.json('user_id') === user.id })
    return answer
  },
  me(number) {
    const user = visit(number)
    const answer = get(user, '/v1/me', 'me')
    if (answer.status === 200)
      check(answer, { 'me is the right user': (found) => found.json('id') === user.id })
    return answer
  },
  refresh: (number) => refresh(visit(number)),
  login(number) {
    const user = visit(number)
    const answer = login(user, __ENV.PASSWORD ?? '')
    if (answer.status === 200) remember(user, answer)
    return answer
  },
}

/** One request of one user, of a kind that chance draws. @returns the answer */
export function frontend(): Answer {
  const kind = only ?? drawKind(Math.random())
  const answer = ask[kind](nextUser())
  requests.add(1, { kind })
  failed.add(answer.status !== 200, { kind })
  unauthorized.add(answer.status === 401 ? 1 : 0)
  serverErrors.add(answer.status === 0 || answer.status >= 500 ? 1 : 0)
  if (answer.status !== 200) logFailure(kind, answer)
  return answer
}
