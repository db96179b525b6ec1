import { check, sleep } from 'k6'
import exec from 'k6/execution'
import http, { type RefinedResponse } from 'k6/http'
import { Rate, Trend } from 'k6/metrics'
import { codeOf, login, params, remember, visit } from '../client/frontend.ts'
import { gatewayUrl, rate, seconds } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { frontendThresholds, steady } from '../client/traffic.ts'
import { type User, usersOn } from '../client/users.ts'

/**
 * Programs ask with API keys beside the frontends, as often as all frontends together, while keys
 * are created, used at every gateway and revoked.
 */

/** Time within which every gateway refuses a revoked key (docs/revocation.md). */
const boundMs = 1000
/** As many at once as meet all gateways, each on a connection of its own. */
const polls = 4
/** Programs with a key each. */
const programs = 50
const password = __ENV.PASSWORD ?? ''

const programFailed = new Rate('program_failed')
/** Time from the response to the revocation until the last request that accepted the key. */
const letInFor = new Trend('revoked_key_let_in_ms')

interface Program {
  number: number
  userId: string
  key: string
}

export { frontend } from '../client/traffic.ts'

export const options = {
  scenarios: {
    frontends: steady,
    programs: {
      executor: 'constant-arrival-rate',
      exec: 'program',
      rate,
      timeUnit: '1s',
      duration: `${seconds}s`,
      preAllocatedVUs: Math.max(50, rate),
    },
    revocations: {
      executor: 'constant-arrival-rate',
      exec: 'revoke',
      rate: 1,
      timeUnit: '3s',
      duration: `${seconds}s`,
      preAllocatedVUs: 5,
    },
  },
  thresholds: {
    ...frontendThresholds,
    program_failed: ['rate==0'],
    revoked_key_let_in_ms: [`max<${boundMs}`],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

/** From the end of the list, so that few frontends share these users. */
const owners = usersOn('pro').reverse()

/** Signs a user in on a device of its own and creates a key. */
function createKey(number: number): { user: User; id: string; key: string } {
  const user = { ...visit(number) }
  remember(user, login(user, password))
  const created = http.post(
    `${gatewayUrl}/v1/api-keys`,
    JSON.stringify({ name: 'k6', permissions: ['dashboard.read'] }),
    params(user, 'create key', {
      authorization: `Bearer ${user.accessToken}`,
      'content-type': 'application/json',
    }),
  ) as RefinedResponse<'text'>
  if (created.status !== 200) throw new Error(`a key's creation answered ${created.status}: ${created.body}`)
  return { user, id: String(created.json('id')), key: String(created.json('key')) }
}

const requestOf = (number: number, key: string) => ({
  method: 'GET',
  url: `${gatewayUrl}/v1/feed`,
  params: params({ number }, 'feed by key', { 'x-api-key': key }),
})

/** Creates the keys of the programs. */
export function setup(): Program[] {
  if (owners.length < programs + 30) throw new Error('there are too few subscribers: --users')
  return owners.slice(0, programs).map((number) => {
    const { user, key } = createKey(number)
    return { number, userId: user.id, key }
  })
}

export function program(all: Program[]) {
  const one = all[exec.scenario.iterationInTest % all.length]
  if (!one) return
  const { url, params: given } = requestOf(one.number, one.key)
  const answer = http.get(url, given) as RefinedResponse<'text'>
  programFailed.add(answer.status !== 200)
  check(answer, {
    'the product was told the owner of the key': (found) => found.json('user_id') === one.userId,
  })
}

export function revoke() {
  const number = owners[programs + (exec.scenario.iterationInTest % (owners.length - programs))]
  if (number === undefined) return
  const { user, id, key } = createKey(number)
  const askAll = () =>
    http.batch(Array.from({ length: polls }, () => requestOf(number, key))) as RefinedResponse<'text'>[]
  check(askAll(), { 'a new key opens every gateway': (all) => all.every(({ status }) => status === 200) })

  const revoked = http.del(
    `${gatewayUrl}/v1/api-keys/${id}`,
    null,
    params(user, 'revoke key', { authorization: `Bearer ${user.accessToken}` }),
  )
  const revokedAt = Date.now()
  check(revoked, { 'the key is revoked': ({ status }) => status === 204 })

  let lastLetInMs = 0
  let sentMs = Date.now() - revokedAt
  let answers = askAll()
  while (answers.some(({ status }) => status === 200) && sentMs < 5 * boundMs) {
    lastLetInMs = sentMs
    sleep(0.02)
    sentMs = Date.now() - revokedAt
    answers = askAll()
  }
  letInFor.add(lastLetInMs)
  check(answers, {
    '401 invalid_token: the revoked key, at every gateway': (all) =>
      all.every((answer) => answer.status === 401 && codeOf(answer) === 'invalid_token'),
  })
}
