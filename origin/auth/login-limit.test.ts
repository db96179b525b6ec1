import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { deviceCookie, overLimitHeader } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { callOrigin, sameToAReader } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { parseList } from '../../test/support/structured-fields.ts'

const password = 'correct horse battery'
const office = '203.0.113.7'

let fullStack: FullStack
let accounts = 0
beforeAll(async () => {
  // The lockout out of the way, which has tests of its own.
  fullStack = await createFullStack({
    environment: { ...highLimits, LIMIT_CREDENTIALS_TRIES: '5', LOCKOUT_TRIES: '100' },
  })
})
beforeEach(() => fullStack.sql`truncate login_attempts`)
afterAll(() => fullStack.close())

async function account() {
  const email = `colleague${accounts++}@example.com`
  await fullStack.post('/auth/register', { email, password })
  return email
}

interface Attempt {
  attempt?: string
  device?: string | undefined
  address?: string
}

const login = (email: string, { attempt = password, device, address = office }: Attempt = {}) =>
  fullStack.post(
    '/auth/login',
    { email, password: attempt },
    { address, headers: device === undefined ? {} : { cookie: `${deviceCookie}=${device}` } },
  )

const statusOf = async (email: string, attempt?: Attempt) => (await login(email, attempt)).status

const knownDevice = async (email: string) => setCookieOf(await login(email), deviceCookie)?.value

async function failFiveTimes(email: string, address = office) {
  for (let i = 0; i < 5; i++) expect(await statusOf(email, { attempt: 'wrong', address })).toBe(401)
}

const attempts = async () => (await fullStack.sql`select from login_attempts`).length

describe('after five wrong passwords of an address at an account', () => {
  test('429 rate_limited: the sixth login there, right or wrong, which is not evaluated', async () => {
    const email = await account()
    await failFiveTimes(email)
    const refused = await login(email)
    expect(refused.status).toBe(429)
    const policies = parseList(refused.headers.get('ratelimit-policy'))
    expect(policies).toContainEqual({ value: 'login', parameters: { q: 5, w: 900 } })
    const left = parseList(refused.headers.get('ratelimit'))
    expect(left).toContainEqual({
      value: 'login',
      parameters: { r: 0, t: Number(refused.headers.get('retry-after')) },
    })
    expect(await problem(refused)).toMatchObject({
      code: 'rate_limited',
      detail: 'Over the limit of login',
      'violated-policies': ['login'],
    })
    expect(await attempts()).toBe(5)
    expect(await statusOf(email.toUpperCase())).toBe(429)
  })

  test('200: another account at the address, and the account at another address', async () => {
    const [email, other] = [await account(), await account()]
    await failFiveTimes(email)
    expect(await statusOf(other)).toBe(200)
    expect(await statusOf(email, { address: '198.51.100.1' })).toBe(200)
  })

  test('200: the owner’s known device; 429: a device of another account', async () => {
    const [email, other] = [await account(), await account()]
    const [own, foreign] = [await knownDevice(email), await knownDevice(other)]
    await failFiveTimes(email)
    expect(await statusOf(email, { device: own })).toBe(200)
    expect(await statusOf(email, { device: foreign })).toBe(429)
    expect(await statusOf(email, { device: 'x' })).toBe(429)
  })

  test('429: addresses of one IPv6 /64 are one', async () => {
    const email = await account()
    await failFiveTimes(email, '2001:db8:1:2::1')
    expect(await statusOf(email, { address: '2001:db8:1:2:ffff::9' })).toBe(429)
    expect(await statusOf(email, { address: '2001:db8:1:3::1' })).toBe(200)
  })
})

describe('forgets the failures at an account, of all addresses', () => {
  async function failAtTwoAddresses(email: string) {
    for (const address of [office, '198.51.100.20']) await failFiveTimes(email, address)
    expect(await statusOf(email)).toBe(429)
  }

  async function expectForgotten(email: string, attempt: string) {
    for (const address of [office, '198.51.100.20'])
      expect(await statusOf(email, { attempt, address })).toBe(200)
    await failFiveTimes(email)
    expect(await statusOf(email, { attempt })).toBe(429)
  }

  test('200: after an administrator has unlocked it, and no other account', async () => {
    const [email, other, admin] = [await account(), await account(), await account()]
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'admin') where email = ${admin}`
    const { access_token } = await fullStack.login(admin, password)
    await failAtTwoAddresses(email)
    await failFiveTimes(other)
    const [row] = await fullStack.sql`select id from user_accounts where email = ${email}`
    const unlocked = await fullStack.call(`/admin/users/${row?.id}/unlock`, {
      method: 'POST',
      headers: bearer(access_token),
    })
    expect(unlocked.status).toBe(204)
    await expectForgotten(email, password)
    expect(await statusOf(other)).toBe(429)
  })

  test('200: after its password was reset by a mailed link', async () => {
    const email = await account()
    await failAtTwoAddresses(email)
    await fullStack.post('/auth/password/forgot', { email })
    const token = await fullStack.mailedToken(email)
    const chosen = 'tundra vowel kiosk'
    expect((await fullStack.post('/auth/password/reset', { token, password: chosen })).status).toBe(204)
    await expectForgotten(email, chosen)
  })
})

// Otherwise a rejection would reveal accounts.
test('401 and 429: an unknown account is counted and rejected like a known one', async () => {
  const known = await account()
  const answers = await Promise.all(
    [known, `nobody${accounts++}@example.com`].map(async (email) => {
      const statuses = []
      for (let i = 0; i < 6; i++) statuses.push(await sameToAReader(await login(email, { attempt: 'wrong' })))
      return statuses
    }),
  )
  expect(answers[0]?.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429])
  const withoutTime = (states: unknown) =>
    JSON.parse(JSON.stringify(states).replaceAll(/([rt]|retry-after",")=?\d+/g, '$1'))
  expect(withoutTime(answers[1])).toEqual(withoutTime(answers[0]))
})

test('200: logins that succeed use up nothing, also many at once', async () => {
  const email = await account()
  for (let i = 0; i < 4; i++) await statusOf(email, { attempt: 'wrong' })
  for (let i = 0; i < 7; i++) expect(await statusOf(email)).toBe(200)
  const atOnce = await Promise.all(Array.from({ length: 12 }, () => statusOf(email)))
  expect(new Set(atOnce)).toEqual(new Set([200]))
})

test('401: wrong passwords on a known device are the lockout’s to count, and reject no other device there', async () => {
  const email = await account()
  const device = await knownDevice(email)
  for (let i = 0; i < 6; i++) expect(await statusOf(email, { device, attempt: 'wrong' })).toBe(401)
  expect(await statusOf(email)).toBe(200)
})

describe('a login from an address over its failures', () => {
  /** As the gateway forwards what brings a device cookie. */
  const forwarded = (email: string, device: string | undefined) =>
    callOrigin(fullStack, '/auth/login', {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-forwarded-for': office,
        cookie: `${deviceCookie}=${device}`,
        [overLimitHeader]: 'credentials;t=812',
      },
      body: JSON.stringify({ email, password }),
    })

  test('200: on a known device', async () => {
    const email = await account()
    expect((await forwarded(email, await knownDevice(email))).status).toBe(200)
  })

  // Else each attempt would cost a hash, without end: an attacker has a known device of their own.
  test('429 rate_limited: on a known device whose attempts are used up; from another address it is 401', async () => {
    const email = await account()
    const device = await knownDevice(email)
    await statusOf(email, { device, attempt: 'wrong' })
    await fullStack.sql`
      update login_counters set tries = 100, locked_at = now(), window_ends_at = now() + interval '15 minutes'`
    const before = await attempts()
    const refused = await forwarded(email, device)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('812')
    expect(await attempts()).toBe(before)
    expect(await statusOf(email, { device })).toBe(401)
  })

  test.each<[string, (email: string) => Promise<string | undefined>]>([
    ['a device cookie of another account', async () => knownDevice(await account())],
    ['a device cookie that is none', async () => 'a.b.c'],
    [
      'a device cookie of an earlier password',
      async (email) => {
        const device = await knownDevice(email)
        await fullStack.sql`update user_accounts set password_changed_at = now() where email = ${email}`
        return device
      },
    ],
  ])('429 rate_limited: with %s, which is not evaluated', async (_, makeDevice) => {
    const email = await account()
    const device = await makeDevice(email)
    const before = await attempts()
    const refused = await forwarded(email, device)
    expect(refused.status).toBe(429)
    expect(refused.headers.get('retry-after')).toBe('812')
    expect((await problem(refused))['violated-policies']).toEqual(['credentials'])
    expect(await attempts()).toBe(before)
  })
})
