import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { overLimitHeader } from '../../shared/http/headers.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { callOrigin } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { hashToken } from '../opaque-token.ts'

const statements: string[] = []

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  await fullStack.signUp('ada@example.com')
  await fullStack.mails('ada@example.com')
  const options = fullStack.sql.options as { debug?: unknown }
  options.debug = (_connection: number, statement: string) => statements.push(statement)
})
beforeEach(() => {
  statements.length = 0
})
afterAll(() => fullStack.close())

/** Queries of the origin without those of the mail relay, which runs one every three seconds. */
const asked = () =>
  statements.filter((statement) => !/mail_outbox|reset_requests|revocations/.test(statement))

/** As the gateway forwards it from an address over its limit. */
const post = (path: string, body: object) =>
  callOrigin(fullStack, path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-forwarded-for': '203.0.113.7',
      [overLimitHeader]: 'refresh;t=812',
    },
    body: JSON.stringify(body),
  })

const refresh = (refresh_token: string) => post('/auth/refresh', { refresh_token })

async function outcome(answer: Response) {
  return answer.ok ? String(answer.status) : `${answer.status} ${(await problem(answer)).code}`
}

const signedIn = async () => (await fullStack.login('ada@example.com', 'correct horse battery')).refresh_token

const forged = (length: number) => 'A'.repeat(length)

describe('POST /auth/refresh of an address over its limit', () => {
  test('200: a genuine token, and its successor', async () => {
    const first = await refresh(await signedIn())
    expect(first.status).toBe(200)
    const { refresh_token } = (await first.json()) as TokenResponse
    expect((await refresh(refresh_token)).status).toBe(200)
  })

  test('429 rate_limited: a forged token, without a query, with the limit and Retry-After of the mark', async () => {
    const answer = await refresh(forged(54))
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('812')
    expect(await problem(answer)).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      code: 'rate_limited',
      detail: 'Over the limit of refresh',
      'violated-policies': ['refresh'],
    })
    for (const token of ['x', forged(53), forged(512)])
      expect(await outcome(await refresh(token))).toBe('429 rate_limited')
    expect(asked()).toEqual([])
  })

  test('429 rate_limited: a genuine token with another tag', async () => {
    const token = await signedIn()
    statements.length = 0
    const last = token.endsWith('A') ? 'B' : 'A'
    expect(await outcome(await refresh(token.slice(0, -1) + last))).toBe('429 rate_limited')
    expect(asked()).toEqual([])
  })

  // Its bearer has to learn that the session is over, or would wait for 15 minutes.
  test('401 refresh_reused, refresh_invalid: an issued token that is no longer valid', async () => {
    const token = await signedIn()
    const { refresh_token } = (await (await refresh(token)).json()) as TokenResponse
    await refresh(refresh_token)
    await fullStack.sql`update tokens set spent_at = now() - interval '1 hour' where token_hash = ${hashToken(token)}`
    expect(await outcome(await refresh(token))).toBe('401 refresh_reused')
    expect(await outcome(await refresh(token))).toBe('401 refresh_invalid')
  })

  // Those of before there were tags live on for REFRESH_TOKEN_SECONDS.
  test('200: a genuine token without a tag; 429: a forged one, which costs queries', async () => {
    const token = await signedIn()
    const untagged = token.slice(0, 43)
    await fullStack.sql`update tokens set token_hash = ${hashToken(untagged)} where token_hash = ${hashToken(token)}`
    expect(await outcome(await refresh(untagged))).toBe('200')
    expect(await outcome(await refresh(forged(43)))).toBe('429 rate_limited')
  })
})

describe('POST /auth/logout of an address over its limit', () => {
  test('204: a genuine token ends its session', async () => {
    const token = await signedIn()
    expect((await post('/auth/logout', { refresh_token: token })).status).toBe(204)
    expect(await outcome(await refresh(token))).toBe('401 refresh_invalid')
  })

  test('429 rate_limited: a forged token, without a query', async () => {
    expect(await outcome(await post('/auth/logout', { refresh_token: forged(54) }))).toBe('429 rate_limited')
    expect(asked()).toEqual([])
  })
})

describe('POST /oauth/token of an address over its limit', () => {
  const grant = (form: Record<string, string>) =>
    callOrigin(fullStack, '/oauth/token', {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        [overLimitHeader]: 'clients;t=812',
      },
      body: new URLSearchParams(form).toString(),
    })

  test('200: a genuine refresh token; 429: a forged one', async () => {
    const refreshing = { grant_type: 'refresh_token', client_id: 'frontend' }
    expect((await grant({ ...refreshing, refresh_token: await signedIn() })).status).toBe(200)
    expect((await grant({ ...refreshing, refresh_token: forged(54) })).status).toBe(429)
  })

  test('429 rate_limited: a wrong client secret, which leaves no audit row', async () => {
    await fullStack.sql`truncate audit_logs`
    const answer = await grant({ grant_type: 'client_credentials', client_id: 'crm', client_secret: 'wrong' })
    expect(answer.status).toBe(429)
    expect((await problem(answer))['violated-policies']).toEqual(['clients'])
    expect(await fullStack.sql`select from audit_logs`).toHaveLength(0)
  })
})

test('401 untrusted_caller: the over-limit header without an assertion', async () => {
  const answer = await fullStack.originFetch('/auth/refresh', {
    method: 'POST',
    headers: { 'content-type': 'application/json', [overLimitHeader]: 'refresh;t=812' },
    body: JSON.stringify({ refresh_token: forged(54) }),
  })
  expect(answer.status).toBe(401)
})
