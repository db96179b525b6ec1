import { check, sleep } from 'k6'
import encoding from 'k6/encoding'
import exec from 'k6/execution'
import http, { type RefinedResponse } from 'k6/http'
import { Gauge } from 'k6/metrics'
import { params, refresh, visit } from '../client/frontend.ts'
import { gatewayUrl, rotateKeys, seconds } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontendThresholds, steady } from '../client/traffic.ts'
import { spareUser, userAt } from '../client/users.ts'

/**
 * A signing key is succeeded by another while frontends read and refresh: published, signing, and
 * the old one gone, with not one
 * 401. The waits between are Gatehouse's own, for the shortest token and a JWKS cache of five
 *      seconds.
 */

const lookSeconds = 6
/** Addresses above those of any user: looking again and again stays within what one may. */
const looker = { number: 13_000_000 }

const publishedAfter = new Gauge('successor_published_after_s')
const signsAfter = new Gauge('successor_signs_after_s')
const goneAfter = new Gauge('old_key_gone_after_s')

export { frontend } from '../client/traffic.ts'

export const options = {
  scenarios: {
    frontends: steady,
    director: {
      executor: 'per-vu-iterations',
      exec: 'director',
      vus: 1,
      iterations: 1,
      maxDuration: `${seconds + 30}s`,
    },
  },
  thresholds: {
    ...frontendThresholds,
    'checks{scenario:director}': ['rate==1'],
    frontend_failed: ['rate==0'],
    successor_published_after_s: ['value>=0'],
    successor_signs_after_s: ['value>0'],
    old_key_gone_after_s: ['value>0'],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

function publishedKids(): string[] {
  const answer = http.get(
    `${gatewayUrl}/.well-known/jwks.json`,
    params(looker, 'jwks'),
  ) as RefinedResponse<'text'>
  return (answer.json() as unknown as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
}

const kidOf = (token: string): string =>
  JSON.parse(encoding.b64decode(token.split('.')[0] ?? '', 'rawurl', 's')).kid

/** @returns the key that signs now */
function signingKid(): string {
  const user = visit(spareUser)
  check(refresh(user), { 'a refresh is answered 200': ({ status }) => status === 200 })
  return kidOf(user.accessToken)
}

export function director() {
  const startedAt = exec.instance.currentTestRunDuration
  const elapsed = () => Math.round((exec.instance.currentTestRunDuration - startedAt) / 1000)
  /** Looks until it is so. @returns whether it ever was */
  function until(isSo: () => boolean): boolean {
    while (!isSo()) {
      if (elapsed() > seconds - 10) return false
      sleep(lookSeconds)
    }
    return true
  }

  const before = publishedKids()
  const old = kidOf(userAt(0).accessToken)
  rotateKeys()
  const published = until(() => publishedKids().length > before.length)
  publishedAfter.add(elapsed())
  const signs = until(() => signingKid() !== old)
  signsAfter.add(elapsed())
  const gone = until(() => !publishedKids().includes(old))
  goneAfter.add(elapsed())
  check(null, {
    'the successor is published': () => published,
    'then it signs': () => signs,
    'then the old key is gone': () => gone,
  })
}
