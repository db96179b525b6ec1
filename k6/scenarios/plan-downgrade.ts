import { check, sleep } from 'k6'
import exec from 'k6/execution'
import http, { type RefinedResponse } from 'k6/http'
import { Trend } from 'k6/metrics'
import {
  codeOf,
  get,
  getOnce,
  getRequest,
  login,
  params,
  refresh,
  remember,
  visit,
} from '../client/frontend.ts'
import { gatewayUrl, seconds } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontendThresholds, steady } from '../client/traffic.ts'
import type { User } from '../client/users.ts'
import { usersOn } from '../client/users.ts'

/**
 * Plans shrink in the middle of the traffic: one subscriber's after another, and once a whole plan.
 * Tokens of before are stale at every gateway within the bound; frontends refresh and go on, with
 * what the plan has now.
 */

/** Within which every gateway knows (docs/revocation.md). */
const boundMs = 1000
/** As many at once as meet all gateways, each on a connection of its own. */
const polls = 4
const adminEmail = __ENV.ADMIN_EMAIL ?? ''
const password = __ENV.PASSWORD ?? ''
/** An address above those of any user. */
const admin = { number: 14_000_000, email: adminEmail }

/**
 * From the change's answer to when the last request was sent that its token of before still opened
 * the door for.
 */
const letInFor = new Trend('token_of_before_let_in_ms')
const downgraded = usersOn('pro')

export { frontend } from '../client/traffic.ts'

export const options = {
  scenarios: {
    frontends: steady,
    downgrades: {
      executor: 'constant-arrival-rate',
      exec: 'downgrade',
      rate: 1,
      timeUnit: '3s',
      duration: `${seconds}s`,
      preAllocatedVUs: 5,
    },
    director: {
      executor: 'per-vu-iterations',
      exec: 'shrinkPlan',
      vus: 1,
      iterations: 1,
      startTime: `${Math.floor(seconds / 2)}s`,
    },
  },
  thresholds: {
    ...frontendThresholds,
    'checks{scenario:director}': ['rate==1'],
    frontend_failed: ['rate==0'],
    token_of_before_let_in_ms: [`max<${boundMs}`],
    // Of frontends that the change of a whole plan met; those downgraded one by one are few.
    claims_stale: ['count>10'],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

/** @returns an access token with the permission to manage subscriptions */
export function setup(): string {
  const answer = login(admin, password)
  if (answer.status !== 200) throw new Error(`the admin's login answered ${answer.status}`)
  return String(answer.json('access_token'))
}

function asAdmin(token: string, path: string, body: unknown): RefinedResponse<'text'> {
  return http.put(
    `${gatewayUrl}${path}`,
    JSON.stringify(body),
    params(admin, 'admin', { authorization: `Bearer ${token}`, 'content-type': 'application/json' }),
  ) as RefinedResponse<'text'>
}

const askAll = (user: User) =>
  http.batch(
    Array.from({ length: polls }, () => getRequest(user, '/v1/insights', 'insights')),
  ) as RefinedResponse<'text'>[]

/** Of a subscriber on a device of their own, whose session no frontend of the others uses. */
export function downgrade(adminToken: string) {
  const number = downgraded[exec.scenario.iterationInTest]
  if (number === undefined) throw new Error('there are too few subscribers: --users')
  const user = { ...visit(number) }
  remember(user, login(user, password))
  check(askAll(user), {
    'a subscriber reads their insights': (all) => all.every(({ status }) => status === 200),
  })
  const changed = asAdmin(adminToken, `/admin/users/${user.id}/subscription`, { plan: 'free' })
  const changedAt = Date.now()
  check(changed, { 'the subscription changes': ({ status }) => status === 200 })

  let lastLetInMs = 0
  let sentMs = Date.now() - changedAt
  let answers = askAll(user)
  while (answers.some(({ status }) => status === 200) && sentMs < 5 * boundMs) {
    lastLetInMs = sentMs
    sleep(0.02)
    sentMs = Date.now() - changedAt
    answers = askAll(user)
  }
  letInFor.add(lastLetInMs)
  check(answers, {
    '401 claims_stale: the token of before, at every gateway': (all) =>
      all.every((answer) => answer.status === 401 && codeOf(answer) === 'claims_stale'),
  })
  check(refresh(user), { 'the session lives on: it refreshes': ({ status }) => status === 200 })
  check(getOnce(user, '/v1/insights', 'insights'), {
    '403 feature_required: what the plan has no more, with the plan that has it': (answer) =>
      answer.status === 403 && codeOf(answer) === 'feature_required' && answer.json('minimum_plan') === 'pro',
  })
  check(get(user, '/v1/feed', 'feed'), { 'the rest goes on': ({ status }) => status === 200 })
}

/** One row, however many subscribers. */
export function shrinkPlan(adminToken: string) {
  const answer = asAdmin(adminToken, '/admin/plans/starter/features', {
    features: ['basic_dashboard', 'profile_customization', 'email_notifications', 'api_access'],
  })
  check(answer, { 'the plan changes': ({ status }) => status === 200 })
}
