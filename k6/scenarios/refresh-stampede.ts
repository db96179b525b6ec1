import { check, sleep } from 'k6'
import http, { type RefinedResponse } from 'k6/http'
import { Counter } from 'k6/metrics'
import { codeOf, getOnce, postRefresh, refreshRequest, remember, visit } from '../client/frontend.ts'
import { rate } from '../client/load-test-environment.ts'
import { type Summary, summarize } from '../client/summary.ts'
import { ownUsers } from '../client/users.ts'

/**
 * Many tabs wake at once and refresh one token, `--rate` of them: all are answered, with one
 * successor. The same token once more, after the grace window, is a theft, and ends the session.
 */

const vus = 10
/** Longer than REFRESH_GRACE_SECONDS, whose default is 10. */
const pastGraceSeconds = 11
/** Within which a gateway knows of a session's end (docs/revocation.md). */
const revocationSeconds = 1

const secondSuccessors = new Counter('second_successors')
const nextUser = ownUsers(vus)

export const options = {
  batch: 200,
  batchPerHost: 200,
  scenarios: { stampedes: { executor: 'per-vu-iterations', vus, iterations: 4, maxDuration: '5m' } },
  thresholds: {
    checks: ['rate==1'],
    second_successors: ['count==0'],
    // Far from the 30 s that a gateway waits; on two cores ten stampedes at once take their time.
    'http_req_duration{name:refresh}': ['max<5000'],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

const successorOf = (answer: RefinedResponse<'text'>) => String(answer.json('refresh_token'))

export default function stampede() {
  const user = visit(nextUser())
  const first = user.refreshToken
  const answers = http.batch(
    Array.from({ length: rate }, () => refreshRequest(user, first)),
  ) as RefinedResponse<'text'>[]
  const successors = new Set(answers.filter(({ status }) => status === 200).map(successorOf))
  secondSuccessors.add(Math.max(0, successors.size - 1))
  check(answers, {
    'every tab is answered 200': (all) => all.every(({ status }) => status === 200),
    'all tabs have the same successor': () => successors.size === 1,
  })
  const [answer] = answers
  if (answer?.status !== 200) return
  remember(user, answer)

  const next = postRefresh(user, user.refreshToken)
  check(next, { 'the successor refreshes': ({ status }) => status === 200 })
  if (next.status === 200) remember(user, next)

  sleep(pastGraceSeconds)
  const replay = postRefresh(user, first)
  check(replay, {
    '401 refresh_reused: the first token after the grace window': (found) =>
      found.status === 401 && codeOf(found) === 'refresh_reused',
  })
  const dead = postRefresh(user, user.refreshToken)
  check(dead, { '401: the newest token of that session': ({ status }) => status === 401 })
  sleep(revocationSeconds)
  check(getOnce(user, '/v1/feed', 'feed'), {
    '401 session_ended: its access token at the gateway': (found) =>
      found.status === 401 && codeOf(found) === 'session_ended',
  })
}
