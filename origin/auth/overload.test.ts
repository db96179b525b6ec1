import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deviceCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { createDeviceTokens } from '../lockout/device-tokens.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

const attackers = Array.from({ length: 8 }, (_, index) => `attacker${index}@example.com`)

let fullStack: FullStack
/** With a queue that one address could fill. */
let busy: FullStack
beforeAll(async () => {
  const environment = { ...highLimits, PASSWORD_HASH_THREADS: '1', PASSWORD_HASH_QUEUE: '2' }
  fullStack = await createFullStack({ environment })
  busy = await createFullStack({ environment: { ...environment, PASSWORD_HASH_QUEUE: '8' } })
  await fullStack.signUp(email, password)
  await busy.signUp(email, password)
  await busy.sql`
    insert into user_accounts (email, password_hash, role_id, password_changed_at)
    select attacker, password_hash, role_id, password_changed_at
    from user_accounts, unnest(${attackers}::text[]) attacker where email = ${email}`
  await busy.sql`
    insert into user_subscriptions (user_id, plan_id)
    select id, (select id from subscription_plans where name = 'free') from user_accounts where email <> ${email}`
})
afterAll(async () => {
  await busy.close()
  await fullStack.close()
})

/** The device cookie of an owner's browser. */
async function deviceOf(owner: string): Promise<string> {
  const [account] = await busy.sql`
    select id, extract(epoch from password_changed_at)::text as version from user_accounts where email = ${owner}`
  if (!account) throw new Error(`no account of ${owner}`)
  const device = { id: crypto.randomUUID(), userId: account.id, passwordVersion: account.version }
  return createDeviceTokens(busy.originConfig.DEVICE_COOKIE_KEY).sign(device)
}

describe('POST /auth/login in a flood', () => {
  // A flood of wrong logins is rejected early. A rejected login is no attempt and locks no account.
  test('503 overloaded, with Retry-After: beyond the queue; it is no attempt, and the account is not locked for it', async () => {
    await fullStack.sql`truncate login_attempts, login_counters`
    const flood = Array.from({ length: 40 }, (_, index) =>
      fullStack.post('/auth/login', { email: `nobody${index}@example.com`, password }),
    )
    const owner = Array.from({ length: 20 }, () => fullStack.post('/auth/login', { email, password }))
    const answers = await Promise.all([...flood, ...owner])
    const shed = answers.filter(({ status }) => status === 503)
    expect(shed.length).toBeGreaterThan(30)
    for (const answer of shed) {
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d?$/)
      expect((await problem(answer)).code).toBe('overloaded')
    }
    expect(await fullStack.sql`select from login_attempts`).toHaveLength(answers.length - shed.length)
    const [{ unknown }] = await fullStack.sql<[{ unknown: number }]>`
      select count(*)::int as unknown from login_attempts where reason = 'unknown_account'`
    expect(await fullStack.sql`select from login_counters`).toHaveLength(unknown)
    expect((await fullStack.post('/auth/login', { email, password })).status).toBe(200)
  })

  // A flood of logins is meant to lock everybody out: known devices keep a queue of their own.
  test('200: the owner on a known device, while unknown devices fill the queue and are rejected', async () => {
    const signedIn = await fullStack.post('/auth/login', { email, password })
    const device = setCookieOf(signedIn, deviceCookie)?.value
    const flood = Array.from({ length: 40 }, (_, index) =>
      fullStack.post('/auth/login', { email: `nobody${index}@example.com`, password }),
    )
    const headers = { cookie: `${deviceCookie}=${device}` }
    for (let logins = 0; logins < 3; logins++)
      expect((await fullStack.post('/auth/login', { email, password }, { headers })).status).toBe(200)
    const shed = (await Promise.all(flood)).filter(({ status }) => status === 503)
    expect(shed.length).toBeGreaterThan(20)
  })

  // Right passwords count against no limit, so one address can have as many in flight as it likes.
  test.each([
    ['on unknown devices', false],
    ['on known devices', true],
  ])('200: another address, while right logins of one address %s are shed', async (_, isKnown) => {
    const devices = await Promise.all(attackers.map((owner) => deviceOf(owner)))
    const login = (owner: string, address: string, device?: string) =>
      busy.post(
        '/auth/login',
        { email: owner, password },
        { address, headers: device === undefined ? {} : { cookie: `${deviceCookie}=${device}` } },
      )
    const flood = [0, 1, 2, 3].flatMap(() =>
      attackers.map((owner, index) => login(owner, '198.51.100.66', isKnown ? devices[index] : undefined)),
    )
    const victim = isKnown ? await deviceOf(email) : undefined
    for (let logins = 0; logins < 3; logins++)
      expect((await login(email, `203.0.113.${logins}`, victim)).status).toBe(200)
    const statuses = (await Promise.all(flood)).map(({ status }) => status)
    expect(statuses).toContain(200)
    expect(statuses.filter((status) => status === 503).length).toBeGreaterThan(10)
  })

  test('200: meanwhile sessions refresh', async () => {
    const { refresh_token } = await fullStack.login(email, password)
    const flood = Array.from({ length: 20 }, () =>
      fullStack.post('/auth/login', { email: 'x@example.com', password }),
    )
    expect((await fullStack.post('/auth/refresh', { refresh_token })).status).toBe(200)
    await Promise.all(flood)
  })
})
