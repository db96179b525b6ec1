import { check, sleep } from 'k6'
import exec from 'k6/execution'
import http, { type RefinedResponse } from 'k6/http'
import { Trend } from 'k6/metrics'
import {
  codeOf,
  get,
  getOnce,
  login,
  loginRequest,
  params,
  postLogout,
  remember,
  visit,
} from '../client/frontend.ts'
import { gateways, gatewayUrl, killRedis, restartRedis, seconds } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontend as ask, frontendThresholds, steady } from '../client/traffic.ts'
import { spareUser } from '../client/users.ts'

/**
 * Redis dies in the middle of the traffic and comes back. No frontend notices but by its
 * RateLimit-Policy: each gateway allows its share of a limit meanwhile. Limits hold, and a
 * session's end still reaches the gateways.
 */

const killedAtSeconds = Math.floor(seconds / 3)
const backAtSeconds = Math.floor((2 * seconds) / 3)
/**
 * From the kill, or the restart, until every gateway must have taken notice: its pause between two
 * tries at Redis, and its reconnect.
 */
const noticeSeconds = 3

const addressQuota = 100
/** Addresses above those of any user. */
const visitor = { number: 12_000_000 }
const triesQuota = 5
const guesser = { number: 12_000_002 }
const abuser = { number: 12_000_001 }
/** Within which gateways know of a session's end without Redis (docs/revocation.md). */
const boundMs = 5000

/**
 * From the logout's answer to when the last request was sent that the session still opened the door
 * for.
 */
const letInFor = new Trend('ended_session_let_in_ms')

export const options = {
  scenarios: {
    frontends: { ...steady, exec: 'frontend' },
    director: { executor: 'per-vu-iterations', exec: 'director', vus: 1, iterations: 1 },
  },
  thresholds: {
    ...frontendThresholds,
    'checks{scenario:director}': ['rate==1'],
    frontend_failed: ['rate==0'],
    ended_session_let_in_ms: [`max<${boundMs}`],
    // A request that waits for a lost Redis takes seconds, or a minute.
    'http_req_duration{name:feed}': ['p(99)<500'],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

/** By plan, as sql/0002.do.seed.sql has them. */
const quotaOf: Record<string, number> = {
  free: 1000,
  starter: 5000,
  pro: 20_000,
  business: 50_000,
  enterprise: 200_000,
}
const freeQuota = 1000

/** Of a user's limit, as an answer's RateLimit-Policy says it. */
const quotaIn = (answer: RefinedResponse<'text'>) =>
  Number(/^"user";q=(\d+)/.exec(answer.headers['Ratelimit-Policy'] ?? '')?.[1])

export function frontend() {
  const askedAt = exec.instance.currentTestRunDuration / 1000
  const answer = ask()
  const answeredAt = exec.instance.currentTestRunDuration / 1000
  const quota = quotaIn(answer)
  if (Number.isNaN(quota) || ![freeQuota, Math.ceil(freeQuota / gateways)].includes(quota)) return
  if (askedAt > killedAtSeconds + noticeSeconds && answeredAt < backAtSeconds)
    check(quota, { 'without Redis a gateway allows its share, and says so': (found) => found < freeQuota })
}

interface Health {
  checks: { limiter: [{ status: string }] | { status: string } }
}

function limiterStatus(): string {
  const answer = http.get(`${gatewayUrl}/ready`, params(visitor, 'ready')) as RefinedResponse<'text'>
  check(answer, { 'a gateway without Redis stays ready': ({ status }) => status === 200 })
  const { limiter } = (answer.json() as unknown as Health).checks
  return Array.isArray(limiter) ? limiter[0].status : limiter.status
}

/** An address that asks without end. @returns the answers' statuses */
function abuse(): number[] {
  return Array.from(
    { length: addressQuota + 20 },
    () => http.get(`${gatewayUrl}/v1/plans`, params(abuser, 'plans')).status,
  )
}

/** One address that guesses passwords, at all gateways. @returns the answers' statuses */
function guess(): number[] {
  return Array.from({ length: 2 * triesQuota }, (_, turn) => {
    const requests = Array.from({ length: gateways }, (_, nth) =>
      loginRequest({ ...guesser, email: `nobody-${turn}-${nth}@example.com` }, 'a guess'),
    )
    return http.batch(requests).map(({ status }) => status)
  }).flat()
}

/** Signs out, and asks with the token that is still alive until it is refused. */
function logoutIsHeard(): void {
  const user = { ...visit(0) }
  remember(user, login(user, __ENV.PASSWORD ?? ''))
  check(getOnce(user, '/v1/feed', 'feed'), { 'a new session is let in': ({ status }) => status === 200 })
  postLogout(user)
  const endedAt = Date.now()
  let lastLetInMs = 0
  let sentMs = Date.now() - endedAt
  let answer = getOnce(user, '/v1/feed', 'feed')
  while (answer.status === 200 && sentMs < 2 * boundMs) {
    lastLetInMs = sentMs
    sleep(0.1)
    sentMs = Date.now() - endedAt
    answer = getOnce(user, '/v1/feed', 'feed')
  }
  letInFor.add(lastLetInMs)
  check(answer, {
    'a session that ended without Redis is refused': (found) => codeOf(found) === 'session_ended',
  })
}

/**
 * Looks again where a call took more than its 50 ms, which sends a gateway to its own counter for a
 * second.
 */
function wholeQuotaCounts(): boolean {
  const user = visit(spareUser)
  for (let look = 1; look <= 10; look++) {
    if (quotaIn(get(user, '/v1/feed', 'feed')) === quotaOf[user.plan]) return true
    sleep(0.5)
  }
  return false
}

export function director() {
  sleep(killedAtSeconds - 1)
  check(limiterStatus(), { '/ready: pass while limits count in Redis': (status) => status === 'pass' })
  sleep(1)
  killRedis()
  sleep(noticeSeconds)
  check(limiterStatus(), { '/ready: warn while they count locally': (status) => status === 'warn' })
  const statuses = abuse()
  check(statuses, {
    'an address is limited without Redis': (all) => all.at(-1) === 429,
    'and is given no more than the limit': (all) =>
      all.filter((status) => status === 200).length <= addressQuota,
  })
  check(guess(), {
    'tries at passwords are refused without Redis': (all) => all.at(-1) === 429,
    'and no more of them evaluated than ever': (all) =>
      all.filter((status) => status !== 429).length <= triesQuota,
  })
  logoutIsHeard()
  const left = backAtSeconds - exec.instance.currentTestRunDuration / 1000
  check(left, { 'all of that before Redis is back': (found) => found > 0 })
  sleep(Math.max(0, left))
  restartRedis()
  sleep(noticeSeconds)
  check(limiterStatus(), { '/ready: pass again once Redis is back': (status) => status === 'pass' })
  check(null, { 'the whole quota counts again': wholeQuotaCounts })
}
