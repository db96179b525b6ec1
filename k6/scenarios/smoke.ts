import { check } from 'k6'
import http, { type Params } from 'k6/http'
import { gatewayUrl as gateway } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'

/**
 * The main path, a few times over, against a gateway that runs: GATEWAY_URL. Registers accounts of
 * its own.
 */

/** Address of the accounts, before which a label is put: each gets mail, so name one that may. */
const [mailbox = '', mailHost = ''] = (__ENV.SMOKE_ADDRESS ?? 'k6@example.com').split('@')

/** false: the gateway has no row of the demo service. */
const hasReports = __ENV.SMOKE_REPORTS !== 'false'

const json = { headers: { 'content-type': 'application/json' } }

export const options = {
  // Anonymous requests stay below the 100 that one address has in 15 minutes.
  scenarios: { main_path: { executor: 'per-vu-iterations', vus: 4, iterations: 4, maxDuration: '2m' } },
  thresholds: {
    checks: ['rate==1'],
    'http_req_duration{name:me}': ['p(95)<250'],
    'http_req_failed{expected:success}': ['rate==0'],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

const succeeds = (name: string, more: Params = {}): Params => ({
  ...more,
  responseType: 'text',
  tags: { name, expected: 'success' },
})

export default function mainPath() {
  const account = JSON.stringify({
    email: `${mailbox}+${__VU}-${__ITER}-${Date.now()}@${mailHost}`,
    password: 'correct horse battery',
  })
  const registered = http.post(`${gateway}/auth/register`, account, succeeds('register', json))
  check(registered, { 'registration is accepted': ({ status }) => status === 202 })

  const loggedIn = http.post(`${gateway}/auth/login`, account, succeeds('login', json))
  check(loggedIn, {
    'login answers tokens': (answer) => answer.status === 200 && answer.json('token_type') === 'Bearer',
  })

  const bearer = { headers: { authorization: `Bearer ${loggedIn.json('access_token')}` } }
  for (let i = 0; i < 20; i++) {
    const me = http.get(`${gateway}/v1/me`, succeeds('me', bearer))
    check(me, {
      'me is the one who logged in': (answer) => answer.json('email') === JSON.parse(account).email,
      'the quota is told': (answer) => /^"user";r=\d+;t=\d+$/.test(answer.headers.Ratelimit ?? ''),
    })
  }

  if (hasReports) requireFeature(bearer)

  const refreshToken = JSON.stringify({ refresh_token: loggedIn.json('refresh_token') })
  const refreshed = http.post(`${gateway}/auth/refresh`, refreshToken, succeeds('refresh', json))
  check(refreshed, {
    'the refresh token rotates': (answer) => answer.json('refresh_token') !== loggedIn.json('refresh_token'),
  })

  const successor = JSON.stringify({ refresh_token: refreshed.json('refresh_token') })
  const loggedOut = http.post(`${gateway}/auth/logout`, successor, succeeds('logout', json))
  check(loggedOut, { 'logout ends the session': ({ status }) => status === 204 })
}

function requireFeature(bearer: Params): void {
  const reports = http.get(`${gateway}/v1/reports`, {
    ...bearer,
    tags: { name: 'reports', expected: 'refusal' },
  })
  check(reports, {
    'a feature of a dearer plan is refused': (answer) => answer.json('code') === 'feature_required',
  })
}
