import { describe, expect, test } from 'vitest'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import {
  createGatewayHarness,
  type GatewayHarnessOptions,
} from '../../test/support/gateway/gateway-harness.ts'
import { routes } from '../routes.ts'

const address = '203.0.113.7'

/** The product's own rows before an origin that answers with `status`. */
async function createProduct({ status = 200, ...options }: GatewayHarnessOptions & { status?: number } = {}) {
  let answered = status
  const harness = await createGatewayHarness({
    policy: routes,
    upstream: () => new Response(null, { status: answered }),
    ...options,
  })
  return {
    ...harness,
    answerWith(next: number) {
      answered = next
    },
    async ask(method: string, path: string, headers = {}) {
      const answer = await harness.call(path, { method, headers, address })
      if (answer.status !== 429) return String(answer.status)
      return `429 ${(await problem(answer))['violated-policies']}`
    },
  }
}

/** The public rows that are no reading of public data, and what limits each. */
const kinds: Record<string, readonly string[]> = {
  mail: ['/auth/register', '/auth/email/resend', '/auth/password/forgot'],
  credentials: ['/auth/login'],
  links: ['/auth/password/reset', '/auth/email/verify'],
  clients: ['/oauth/token', '/oauth/introspect', '/oauth/revoke'],
  refresh: ['/auth/refresh', '/auth/logout'],
  exchange: ['/auth/exchange'],
}

describe('an address whose anonymous requests are used up', () => {
  test.each(Object.values(kinds).flat())('200: POST %s', async (path) => {
    const { ask } = await createProduct({ environment: { LIMIT_ADDRESS_REQUESTS: '1' } })
    await ask('GET', '/v1/plans')
    expect(await ask('GET', '/v1/plans')).toBe('429 address')
    for (let i = 0; i < 3; i++) expect(await ask('POST', path)).toBe('200')
  })
})

describe('failures', () => {
  test('429 credentials, links: each kind has a count of its own, and a success uses up none', async () => {
    const { ask, answerWith } = await createProduct({ environment: { LIMIT_FAILURES: '2' } })
    for (let i = 0; i < 5; i++) expect(await ask('POST', '/auth/login')).toBe('200')
    answerWith(401)
    for (let i = 0; i < 2; i++) expect(await ask('POST', '/auth/login')).toBe('401')
    expect(await ask('POST', '/auth/login')).toBe('429 credentials')
    answerWith(400)
    for (let i = 0; i < 2; i++) expect(await ask('POST', '/auth/email/verify')).toBe('400')
    expect(await ask('POST', '/auth/password/reset')).toBe('429 links')
    answerWith(200)
    expect(await ask('POST', '/auth/refresh')).toBe('200')
    expect(await ask('GET', '/v1/plans')).toBe('200')
  })

  test('429 mail: requests that send mail are counted, whether or not they succeed', async () => {
    const { ask } = await createProduct({ status: 202, environment: { LIMIT_MAIL_REQUESTS: '2' } })
    expect(await ask('POST', '/auth/register')).toBe('202')
    expect(await ask('POST', '/auth/password/forgot')).toBe('202')
    expect(await ask('POST', '/auth/password/forgot')).toBe('429 mail')
  })

  // A colleague who guesses at their own password must not keep others from changing theirs.
  test('429 credentials: failed attempts of a signed-in user are counted by address and account', async () => {
    const { ask, issuer, answerWith } = await createProduct({ status: 403 })
    const signedIn = async () => bearer(await issuer.sign())
    const [hostile, colleague] = [await signedIn(), await signedIn()]
    for (let i = 0; i < 5; i++) expect(await ask('POST', '/auth/password', hostile)).toBe('403')
    expect(await ask('POST', '/auth/password', hostile)).toBe('429 credentials')
    answerWith(204)
    expect(await ask('POST', '/auth/password', colleague)).toBe('204')
  })
})

describe('a plan with a quota of one request', () => {
  test('200: its users still sign out, and its admins still repair it; /v1 stays with the quota', async () => {
    const { ask, issuer } = await createProduct()
    const token = await issuer.sign({
      quota: 1,
      level: 100,
      permissions: ['profile.read', 'subscriptions.manage', 'users.read'],
    })
    expect(await ask('GET', '/v1/me', bearer(token))).toBe('200')
    expect(await ask('GET', '/v1/me', bearer(token))).toBe('429 user')
    for (let i = 0; i < 3; i++) {
      expect(await ask('GET', '/auth/sessions', bearer(token))).toBe('200')
      expect(await ask('DELETE', '/auth/sessions', bearer(token))).toBe('200')
      expect(await ask('PATCH', '/admin/plans/free', bearer(token))).toBe('200')
      expect(await ask('GET', '/admin/users', bearer(token))).toBe('200')
    }
  })

  test('429 account: a separate limit per user, the same for every plan', async () => {
    const { ask, issuer } = await createProduct({ environment: { LIMIT_ACCOUNT_REQUESTS: '2' } })
    const token = await issuer.sign({ quota: 100_000 })
    for (let i = 0; i < 2; i++) expect(await ask('GET', '/auth/sessions', bearer(token))).toBe('200')
    expect(await ask('GET', '/auth/sessions', bearer(token))).toBe('429 account')
    expect(await ask('GET', '/auth/sessions', bearer(await issuer.sign()))).toBe('200')
  })
})

test('429 names the limit that rejected', async () => {
  const { call } = await createProduct({ status: 401, environment: { LIMIT_FAILURES: '1' } })
  const login = () => call('/auth/login', { method: 'POST' })
  await login()
  expect(await problem(await login())).toMatchObject({
    detail: 'Over the limit of 1 failed attempts in 900 s (credentials)',
    'violated-policies': ['credentials'],
  })
})
