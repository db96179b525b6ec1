import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deviceCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { roomy } from '../../test/support/roomy.ts'
import { createWorld, problem, type World } from '../../test/support/world.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let world: World
beforeAll(async () => {
  const environment = { ...roomy, PASSWORD_HASH_THREADS: '1', PASSWORD_HASH_QUEUE: '2' }
  world = await createWorld({ environment })
  await world.signUp(email, password)
})
afterAll(() => world.close())

describe('POST /auth/login in a flood', () => {
  // A flood of wrong logins is shed early; what was shed was never a try, so it locks nobody.
  test('503 overloaded, with Retry-After: beyond the queue; it is no attempt, and the account is not locked for it', async () => {
    await world.sql`truncate login_attempts, login_counters`
    const flood = Array.from({ length: 40 }, (_, index) =>
      world.post('/auth/login', { email: `nobody${index}@example.com`, password }),
    )
    const owner = Array.from({ length: 20 }, () => world.post('/auth/login', { email, password }))
    const answers = await Promise.all([...flood, ...owner])
    const shed = answers.filter(({ status }) => status === 503)
    expect(shed.length).toBeGreaterThan(30)
    for (const answer of shed) {
      expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d?$/)
      expect((await problem(answer)).code).toBe('overloaded')
    }
    expect(await world.sql`select from login_attempts`).toHaveLength(answers.length - shed.length)
    const [{ unknown }] = await world.sql<[{ unknown: number }]>`
      select count(*)::int as unknown from login_attempts where reason = 'unknown_account'`
    expect(await world.sql`select from login_counters`).toHaveLength(unknown)
    expect((await world.post('/auth/login', { email, password })).status).toBe(200)
  })

  // Whoever floods the logins wants everybody out: those who were in before keep a way of their
  // own.
  test('200: the owner on a known device, while strangers fill the queue and are shed', async () => {
    const signedIn = await world.post('/auth/login', { email, password })
    const device = setCookieOf(signedIn, deviceCookie)?.value
    const flood = Array.from({ length: 40 }, (_, index) =>
      world.post('/auth/login', { email: `nobody${index}@example.com`, password }),
    )
    const headers = { cookie: `${deviceCookie}=${device}` }
    for (let logins = 0; logins < 3; logins++)
      expect((await world.post('/auth/login', { email, password }, { headers })).status).toBe(200)
    const shed = (await Promise.all(flood)).filter(({ status }) => status === 503)
    expect(shed.length).toBeGreaterThan(20)
  })

  test('200: meanwhile sessions refresh', async () => {
    const { refresh_token } = await world.login(email, password)
    const flood = Array.from({ length: 20 }, () =>
      world.post('/auth/login', { email: 'x@example.com', password }),
    )
    expect((await world.post('/auth/refresh', { refresh_token })).status).toBe(200)
    await Promise.all(flood)
  })
})
