import http, { type Params, type RefinedResponse } from 'k6/http'
import { Counter } from 'k6/metrics'
import { addressOf } from './address.ts'
import { gatewayUrl } from './load-test-environment.ts'
import { type User, userAt } from './users.ts'

type Answer = RefinedResponse<'text'>

/** Answers that sent a client to refresh and try once more. */
const stale = new Counter('claims_stale')
const visitors = new Counter('visitors')

/** Before a token's end, so that it does not run out on its way. */
const refreshSecondsAhead = 5

/** State of this VU's own users. */
const known = new Map<number, User>()

/** A user as their frontend has them: with the newest tokens. */
export function visit(number: number): User {
  const user = known.get(number) ?? userAt(number)
  if (!known.has(number)) visitors.add(1)
  known.set(number, user)
  return user
}

/**
 * Parameters of every request: the client address as our last proxy saw it, and its name in the
 * report.
 */
export function params(
  user: Pick<User, 'number'>,
  name: string,
  headers: Record<string, string> = {},
): Params {
  return {
    headers: { 'x-forwarded-for': addressOf(user.number), ...headers },
    tags: { name },
    responseType: 'text',
  }
}

const json = { 'content-type': 'application/json' }
const bearer = (user: User) => ({ authorization: `Bearer ${user.accessToken}` })

export const codeOf = (answer: Answer): unknown =>
  answer.headers['Content-Type']?.startsWith('application/problem+json') ? answer.json('code') : undefined

/** For a batch. */
export const loginRequest = (user: Pick<User, 'number' | 'email'>, password: string, headers = {}) => ({
  method: 'POST',
  url: `${gatewayUrl}/auth/login`,
  body: JSON.stringify({ email: user.email, password }),
  params: params(user, 'login', { ...json, ...headers }),
})

export function login(user: Pick<User, 'number' | 'email'>, password: string, headers = {}): Answer {
  const { url, body, params: given } = loginRequest(user, password, headers)
  return http.post(url, body, given) as Answer
}

/** Takes over the tokens of an answer. */
export function remember(user: User, answer: Answer): void {
  const tokens = answer.json() as unknown as {
    access_token: string
    refresh_token: string
    expires_in: number
  }
  user.accessToken = tokens.access_token
  user.refreshToken = tokens.refresh_token
  user.expiresAt = Date.now() / 1000 + tokens.expires_in
}

/** For a batch. */
export const refreshRequest = (user: Pick<User, 'number'>, refreshToken: string) => ({
  method: 'POST',
  url: `${gatewayUrl}/auth/refresh`,
  body: JSON.stringify({ refresh_token: refreshToken }),
  params: params(user, 'refresh', json),
})

export function postRefresh(user: Pick<User, 'number'>, refreshToken: string): Answer {
  const { url, body, params: given } = refreshRequest(user, refreshToken)
  return http.post(url, body, given) as Answer
}

export function refresh(user: User): Answer {
  const answer = postRefresh(user, user.refreshToken)
  if (answer.status === 200) remember(user, answer)
  return answer
}

export function postLogout(user: User): Answer {
  return http.post(
    `${gatewayUrl}/auth/logout`,
    JSON.stringify({ refresh_token: user.refreshToken }),
    params(user, 'logout', json),
  ) as Answer
}

/** A request of a user's frontend, without retries or refresh. */
export const getOnce = (user: User, path: string, name: string): Answer =>
  http.get(`${gatewayUrl}${path}`, params(user, name, bearer(user))) as Answer

/** For a batch. */
export const getRequest = (user: User, path: string, name: string) => ({
  method: 'GET',
  url: `${gatewayUrl}${path}`,
  params: params(user, name, bearer(user)),
})

/**
 * As a frontend does it: a token about to end is refreshed before, one whose claims are stale
 * after, once.
 */
export function get(user: User, path: string, name: string): Answer {
  if (user.expiresAt - refreshSecondsAhead < Date.now() / 1000) refresh(user)
  const answer = getOnce(user, path, name)
  if (codeOf(answer) !== 'claims_stale') return answer
  stale.add(1)
  refresh(user)
  return getOnce(user, path, name)
}
