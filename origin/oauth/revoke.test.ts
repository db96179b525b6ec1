import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import {
  createOAuthFullStack,
  type OAuthFullStack,
  refusal,
} from '../../test/support/full-stack/oauth-full-stack.ts'

const password = 'correct horse battery'

let fullStack: OAuthFullStack
let billing: Awaited<ReturnType<OAuthFullStack['client']>>
let tokens: TokenResponse

beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  billing = await fullStack.client('billing', 'users.read')
  await fullStack.signUp('ada@example.com', password)
})
afterAll(() => fullStack.close())

beforeEach(async () => {
  await fullStack.sql`truncate sessions cascade`
  tokens = await fullStack.login('ada@example.com', password)
})

const frontend = { client_id: 'frontend' }
const post = (form: string | Record<string, string>, headers: HeadersInit = {}) =>
  fullStack.postForm('/oauth/revoke', form, headers)

const endReasons = async () =>
  (await fullStack.sql`select end_reason from sessions`).map(({ end_reason }) => end_reason)

async function expectDone(answer: Response) {
  expect(answer.status).toBe(200)
  expect(await answer.text()).toBe('')
  expect(answer.headers.get('cache-control')).toBe('no-store')
}

describe('POST /oauth/revoke, by the frontend', () => {
  test('200: a refresh token ends its session', async () => {
    await expectDone(await post({ ...frontend, token: tokens.refresh_token }))
    expect(await endReasons()).toEqual(['logout'])
    expect((await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })).status).toBe(401)
  })

  test.each(['access_token', 'refresh_token'] as const)('200: an %s twice is as once', async (kind) => {
    for (let i = 0; i < 2; i++) await expectDone(await post({ ...frontend, token: tokens[kind] }))
    expect(await endReasons()).toEqual(['logout'])
  })

  test('200: an access token ends the session that it names, and no other', async () => {
    const other = await fullStack.login('ada@example.com', password)
    await expectDone(await post({ ...frontend, token: tokens.access_token }))
    expect((await endReasons()).sort()).toEqual(['logout', null])
    expect((await fullStack.post('/auth/refresh', { refresh_token: other.refresh_token })).status).toBe(200)
  })

  // A forged token with a session's id must not end that session.
  test('200: an access token with a wrong signature ends nothing', async () => {
    const [header, payload] = tokens.access_token.split('.')
    await expectDone(await post({ ...frontend, token: `${header}.${payload}.${'A'.repeat(86)}` }))
    expect(await endReasons()).toEqual([null])
  })

  // RFC 7009, section 2.2: what the client wants is already so.
  test.each([
    ['unknown', 'A'.repeat(43)],
    ['nonsense', 'x'],
    ['with a NUL', 'a\u0000b'],
    ['of 10 kB', 'A'.repeat(10_000)],
  ])('200: a token %s', async (_, token) => {
    await expectDone(await post({ ...frontend, token }))
    expect(await endReasons()).toEqual([null])
  })

  test.each(['access_token', 'refresh_token', 'nonsense'])(
    '200: token_type_hint %s changes nothing (RFC 7009, section 2.2)',
    async (hint) => {
      await expectDone(await post({ ...frontend, token: tokens.refresh_token, token_type_hint: hint }))
      expect(await endReasons()).toEqual(['logout'])
    },
  )

  test("400 invalid_grant: a service's token", async () => {
    const token = await fullStack.serviceToken(billing)
    expect(await refusal(await post({ ...frontend, token }))).toMatchObject({
      status: 400,
      error: 'invalid_grant',
      code: 'token_of_another_client',
    })
  })
})

describe('POST /oauth/revoke, by a service', () => {
  // RFC 7009, section 2.1: only the client that a token was issued to may revoke it.
  test.each(['access_token', 'refresh_token'] as const)(
    "400 invalid_grant: a user's %s, whose session lives on",
    async (kind) => {
      expect(await refusal(await post({ token: tokens[kind] }, billing.basic))).toMatchObject({
        status: 400,
        error: 'invalid_grant',
        code: 'token_of_another_client',
      })
      expect(await endReasons()).toEqual([null])
    },
  )

  test('400 unsupported_token_type: its own token, which ends by itself', async () => {
    const token = await fullStack.serviceToken(billing)
    expect(await refusal(await post({ token }, billing.basic))).toMatchObject({
      status: 400,
      error: 'unsupported_token_type',
    })
  })

  test("400 invalid_grant: another service's token", async () => {
    const token = await fullStack.serviceToken(await fullStack.client('shipping', 'users.read'))
    expect(await refusal(await post({ token }, billing.basic))).toMatchObject({ error: 'invalid_grant' })
  })

  test('200: an unknown token', async () => {
    await expectDone(await post({ token: 'A'.repeat(43) }, billing.basic))
  })
})

describe('POST /oauth/revoke rejects', () => {
  test('401 invalid_client: no client; the session lives on', async () => {
    expect(await refusal(await post({ token: tokens.refresh_token }))).toMatchObject({
      status: 401,
      error: 'invalid_client',
      challenge: 'Basic',
    })
    expect(await endReasons()).toEqual([null])
  })

  test('401 invalid_client: a wrong secret', async () => {
    const form = { token: tokens.refresh_token, client_id: 'billing', client_secret: 'wrong' }
    expect(await refusal(await post(form))).toMatchObject({ status: 401, error: 'invalid_client' })
    expect(await endReasons()).toEqual([null])
  })

  test('400 invalid_request: no token', async () => {
    expect(await refusal(await post(frontend))).toMatchObject({ error: 'invalid_request' })
  })
})
