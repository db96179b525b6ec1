import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { createOAuthFullStack, type OAuthFullStack } from '../../test/support/full-stack/oauth-full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

const register = (email: string) => fullStack.post('/auth/register', { email, password })
const login = async (email: string, tried = password) =>
  (await fullStack.post('/auth/login', { email, password: tried })).status

describe('an address that browsers take', () => {
  test.each([..."!#$%&'*+-/=?^_`{|}~"])('202: with %s, which signs in and gets its mails', async (sign) => {
    const email = `a${sign}b${sign.codePointAt(0)}@example.com`
    expect((await register(email)).status).toBe(202)
    expect(await login(email)).toBe(200)
    expect(await fullStack.mails(email)).toHaveLength(1)
  })

  test('202: with an international domain, which is stored in A-labels and found in every spelling', async () => {
    expect((await register('Ada@münchen.example')).status).toBe(202)
    const stored = 'Ada@xn--mnchen-3ya.example'
    const rows = await fullStack.sql`select email from user_accounts where email like '%3ya%'`
    expect(rows).toEqual([{ email: stored }])
    const spellings = ['ada@MÜNCHEN.example', 'ADA@mu\u0308nchen.EXAMPLE', 'ada@XN--MNCHEN-3YA.example']
    for (const email of spellings) {
      expect(await login(email), email).toBe(200)
      expect((await fullStack.post('/auth/password/forgot', { email })).status).toBe(202)
    }
    const subjects = (await fullStack.mails(stored)).map(({ subject }) => subject)
    expect(subjects).toHaveLength(4)
    expect(new Set(subjects).size).toBe(2)
  })

  // Two accounts of one mailbox would let the second one's owner reset the first one's password.
  test('of ten spellings at once one is an account (the others get the same 202)', async () => {
    const spellings = ['grace@zürich.example', 'GRACE@ZÜRICH.example', 'grace@xn--zrich-kva.example']
    const statuses = await Promise.all(
      Array.from({ length: 10 }, (_, i) => register(spellings[i % 3] as string).then(({ status }) => status)),
    )
    expect(new Set(statuses)).toEqual(new Set([202]))
    expect(
      await fullStack.sql`select from user_accounts where lower(email) = 'grace@xn--zrich-kva.example'`,
    ).toHaveLength(1)
  })

  test('401 invalid_credentials: attempts in every spelling are counted together', async () => {
    const email = 'lin@köln.example'
    expect((await register(email)).status).toBe(202)
    const spellings = [email, 'LIN@KÖLN.example', 'lin@xn--kln-sna.example', 'lin@ko\u0308ln.example', email]
    for (const spelling of spellings) expect(await login(spelling, 'wrong horse battery')).toBe(401)
    expect(await login('lin@xn--kln-sna.example')).toBe(401)
    const [{ tries }] = await fullStack.sql<[{ tries: number }]>`
      select tries from login_counters
      where address_hash = sha256(convert_to('lin@xn--kln-sna.example', 'UTF8'))`
    expect(tries).toBe(5)
  })
})

describe('invalid addresses', () => {
  test.each([
    ['a line break', 'ada@example.com\r\nBcc: eve@example.com'],
    ['a second address', 'ada@example.com,eve@example.com'],
    ['a name', 'Ada <ada@example.com>'],
    ['a quoted local part', '"ada x"@example.com'],
    ['a letter outside ASCII before the @', 'ädä@example.com'],
    ['a port behind the domain', 'ada@münchen.example:25'],
  ])('422 validation_failed: %s', async (_, email) => {
    for (const path of ['/auth/register', '/auth/login']) {
      const response = await fullStack.post(path, { email, password })
      const { status, errors } = await problem(response)
      expect({ status, errors }).toEqual({
        status: 422,
        errors: [{ pointer: '/email', detail: 'Invalid email address' }],
      })
    }
  })
})

// Mail servers read them as hosts of the local network, or as other spellings of an IPv4 address.
describe('a domain without a dot, or that ends in a number', () => {
  test.each(['a@localhost', 'a@127.0.0.1', 'a@0x7f.1', 'a@1.0x7F', 'a@example.1'])(
    '422 validation_failed: %s registers no account',
    async (email) => {
      const { status, errors } = await problem(await register(email))
      expect({ status, at: errors?.map(({ pointer }) => pointer) }).toEqual({ status: 422, at: ['/email'] })
    },
  )

  test('202: a domain with a number in it, and 200: an account of former times signs in', async () => {
    expect((await register('ada@1.4you.example')).status).toBe(202)
    await fullStack.signUp('numbers@example.com')
    await fullStack.sql`
      insert into user_accounts (email, password_hash, role_id)
      select 'old@localhost', password_hash, role_id from user_accounts where email = 'numbers@example.com'`
    expect(await login('old@localhost')).toBe(200)
  })
})

test('200: an account of former times, whose domain no browser would take, signs in', async () => {
  const email = 'Old@former-.example.com'
  await fullStack.signUp('new@example.com')
  await fullStack.sql`
    insert into user_accounts (email, password_hash, role_id)
    select ${email}, password_hash, role_id from user_accounts where email = 'new@example.com'`
  expect(await login('old@FORMER-.example.com')).toBe(200)
})

describe('searches', () => {
  let services: OAuthFullStack
  let headers: Record<string, string>
  beforeAll(async () => {
    services = await createOAuthFullStack()
    await services.fullStack.signUp('ida@düren.example')
    await services.sql`
      update user_accounts set role_id = (select id from roles where name = 'admin'), email_verified_at = now()`
    headers = bearer(await services.serviceToken(await services.client('crm', 'users.read')))
  })
  afterAll(() => services.fullStack.close())

  test.each(['ida@düren.example', 'IDA@DÜREN.example', 'ida@xn--dren-0ra.example'])(
    '200: %s in lists, attempts and the directory of services',
    async (email) => {
      const { access_token: token } = await services.fullStack.login(email, password)
      const ask = async (path: string) => {
        const response = await services.fullStack.call(path, { headers: bearer(token) })
        return ((await response.json()) as { items: { email: string }[] }).items
      }
      const query = encodeURIComponent(email)
      const stored = { email: 'ida@xn--dren-0ra.example' }
      expect(await ask(`/admin/users?email_prefix=${query}`)).toMatchObject([stored])
      const attempts = await ask(`/admin/login-attempts?email=${query}`)
      expect(attempts.length).toBeGreaterThan(0)
      for (const attempt of attempts) expect(attempt.email.toLowerCase()).toBe(stored.email)
      const found = await services.fullStack.originFetch(`/internal/users?email=${query}&fresh=true`, {
        headers,
      })
      expect(await found.json()).toMatchObject({ items: [stored] })
    },
  )
})
