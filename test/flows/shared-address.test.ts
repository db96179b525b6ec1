import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDeviceTokens } from '../../origin/lockout/device-tokens.ts'
import { hashToken } from '../../origin/opaque-token.ts'
import { createRefreshTokens } from '../../origin/sessions/refresh-tokens.ts'
import type { TokenResponse } from '../../shared/contract.ts'
import { deviceCookie } from '../../shared/http/headers.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { encodePart } from '../support/gateway/issuer.ts'

/**
 * An office of 200 people behind one address, one of whom is hostile. All limits are the defaults.
 */
const office = '203.0.113.7'
const password = 'correct horse battery'
const people = 200

interface Colleague {
  id: string
  email: string
  refreshToken: string
  deviceToken: string
}

let fullStack: FullStack
let colleagues: Colleague[]
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { PASSWORD_HASH_COST: '10' } })
  colleagues = await hire()
}, 60_000)
afterAll(() => fullStack.close())

/**
 * Accounts with the password of one that registered, each with a session and a device that it
 * signed in on.
 */
async function hire(): Promise<Colleague[]> {
  const { sql, originConfig } = fullStack
  const first = await fullStack.signUp('colleague0@example.com')
  await sql`
    insert into user_accounts (email, password_hash, role_id, password_changed_at)
    select 'colleague' || number || '@example.com', password_hash, role_id, password_changed_at
    from user_accounts, generate_series(1, ${people - 1}) number where email = ${first.email}`
  await sql`
    insert into user_subscriptions (user_id, plan_id)
    select id, (select id from subscription_plans where name = 'free') from user_accounts
    where id not in (select user_id from user_subscriptions)`
  const accounts = await sql<{ id: string; email: string; version: string }[]>`
    select id, email, extract(epoch from password_changed_at)::text as version from user_accounts`
  const refreshTokens = createRefreshTokens(originConfig.REFRESH_TOKEN_KEY)
  const deviceTokens = createDeviceTokens(originConfig.DEVICE_COOKIE_KEY)
  return Promise.all(
    accounts.map(async ({ id, email, version }) => {
      const refreshToken = refreshTokens.createFirst()
      await sql`
        with session as (
          insert into sessions (user_id, expires_at) values (${id}, now() + interval '1 day') returning id
        )
        insert into tokens (kind, user_id, session_id, token_hash, expires_at)
        select 'refresh', ${id}, id, ${hashToken(refreshToken)}, now() + interval '1 day' from session`
      const deviceToken = await deviceTokens.sign({
        id: crypto.randomUUID(),
        userId: id,
        passwordVersion: version,
      })
      return { id, email, refreshToken, deviceToken }
    }),
  )
}

const from = (index: number): Colleague => {
  const colleague = colleagues[index]
  if (!colleague) throw new Error(`nobody has the number ${index}`)
  return colleague
}

async function outcome(answer: Response): Promise<string> {
  return answer.ok ? '200' : `${answer.status} ${(await problem(answer)).code}`
}

const login = async ({ email }: Pick<Colleague, 'email'>, attempt = password, device?: string) =>
  outcome(
    await fullStack.post(
      '/auth/login',
      { email, password: attempt },
      { address: office, headers: device === undefined ? {} : { cookie: `${deviceCookie}=${device}` } },
    ),
  )

const refresh = (refresh_token: string) =>
  fullStack.post('/auth/refresh', { refresh_token }, { address: office })

const me = async (token: string) =>
  outcome(await fullStack.call('/v1/me', { address: office, headers: bearer(token) }))

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i))

/** Does something so many times, some at a time. @returns what came of it, how often */
async function tally(count: number, attempt: (index: number) => Promise<string>) {
  const outcomes: Record<string, number> = {}
  for (let start = 0; start < count; start += 20) {
    for (const result of await Promise.all(times(Math.min(20, count - start), (i) => attempt(start + i))))
      outcomes[result] = (outcomes[result] ?? 0) + 1
  }
  return outcomes
}

/** Everybody refreshes and uses the fresh token, which the gateway has not seen before. */
function everybodyGoesOn() {
  return tally(people, async (index) => {
    const colleague = from(index)
    const answer = await refresh(colleague.refreshToken)
    if (!answer.ok) return `refresh: ${await outcome(answer)}`
    const tokens = (await answer.json()) as TokenResponse
    colleague.refreshToken = tokens.refresh_token
    return me(tokens.access_token)
  })
}

async function junkTokens(): Promise<string[]> {
  const answer = await refresh(from(1).refreshToken)
  const tokens = (await answer.json()) as TokenResponse
  from(1).refreshToken = tokens.refresh_token
  const [header = '', payload = '', signature = ''] = tokens.access_token.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
  const withHeader = (over: object) => encodePart({ alg: 'ES256', kid, typ: 'at+jwt', ...over })
  const withClaims = (over: object) => encodePart({ ...claims, ...over })
  return [
    'x.y.z',
    `${withHeader({ alg: 'none' })}.${payload}.${signature}`,
    `${withHeader({ kid: 'unknown' })}.${payload}.${signature}`,
    `${header}.${withClaims({ role: 'superadmin', level: 100 })}.${signature}`,
    `${header}.${withClaims({ exp: claims.exp + 86_400 })}.${signature}`,
    `${header}.${withClaims({ exp: 1 })}.${signature}`,
  ]
}

test('200: of 103 correct logins of one address, every one', { timeout: 120_000 }, async () => {
  expect(await tally(103, (index) => login(from(100 + (index % 100))))).toEqual({ '200': 103 })
})

describe('one of them is hostile', { timeout: 120_000 }, () => {
  test('429: their anonymous requests and junk tokens are limited; the others are served', async () => {
    const anonymous = await tally(150, async () =>
      outcome(await fullStack.call('/v1/plans', { address: office })),
    )
    expect(anonymous).toEqual({ '200': 100, '429 rate_limited': 50 })
    const junk = await junkTokens()
    for (const token of junk.slice(0, -1)) expect(await me(token)).toBe('429 rate_limited')
    expect(await me(junk.at(-1) ?? '')).toBe('401 invalid_token')
    // Forged signatures cost the most: they are sent at their own pace, so that they do not starve
    // this process.
    const forged = await tally(60, () => me(junk[3] ?? ''))
    expect(Object.keys(forged).sort()).toEqual(['429 rate_limited'])
    expect(await everybodyGoesOn()).toEqual({ '200': people })
  })

  test('429: their junk refreshes are limited; the others refresh', async () => {
    const madeUp = (index: number) => String(index).padStart(index % 2 ? 43 : 54, 'A')
    const junk = await tally(140, async (index) => outcome(await refresh(madeUp(index))))
    expect(junk).toEqual({ '401 refresh_invalid': 100, '429 rate_limited': 40 })
    expect(await everybodyGoesOn()).toEqual({ '200': people })
  })

  test('429: their wrong passwords for one colleague are limited; that colleague’s device and all others log in', async () => {
    const victim = from(2)
    const guesses = await tally(5, () => login(victim, 'wrong'))
    expect(guesses).toEqual({ '401 invalid_credentials': 5 })
    expect(await login(victim, 'wrong')).toBe('429 rate_limited')
    expect(await login(victim, password, victim.deviceToken)).toBe('200')
    for (const index of [3, 4, 5]) {
      expect(await login(from(index))).toBe('200')
      expect(await login(from(index), password, from(index).deviceToken)).toBe('200')
    }
  })

  test('429: their wrong passwords for many accounts are limited; known devices log in, and all signed-in users are served', async () => {
    const guesses = await tally(110, (index) => login({ email: `nobody${index}@example.com` }, 'wrong'))
    // Five were used up above. Twenty at a time: five come while the last tokens are in progress.
    expect(guesses).toEqual({ '401 invalid_credentials': 95, '503 overloaded': 5, '429 rate_limited': 10 })
    for (const index of [2, 6, 7]) {
      expect(await login(from(index), password, from(index).deviceToken)).toBe('200')
      expect(await login(from(index), 'wrong', from(index + 10).deviceToken)).toBe('429 rate_limited')
    }
    expect(await everybodyGoesOn()).toEqual({ '200': people })
  })

  test('rejected requests are in the log of rejected requests, by limit', async () => {
    await fullStack.reportsFlushed()
    const logged = await fullStack.sql<{ class: string; refused: number }[]>`
      select limit_class as class, sum(refused)::int as refused from rate_limit_logs
      where limit_key = ${office} group by 1 order by 1`
    expect(logged).toEqual([
      { class: 'address', refused: 115 },
      { class: 'credentials', refused: 13 },
      { class: 'refresh', refused: 40 },
    ])
  })
})
