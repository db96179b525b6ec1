import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { deviceCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let before: FullStack
let dearer: FullStack
beforeAll(async () => {
  before = await createFullStack({ environment: highLimits })
  await before.post('/auth/register', { email, password })
  dearer = await createFullStack({
    environment: { ...highLimits, PASSWORD_HASH_COST: '11' },
    remains: before.remains,
  })
})
afterAll(async () => {
  await dearer.close()
  await before.close()
})

async function account() {
  const [row] = await before.sql<[{ password_hash: string; password_changed_at: Date }]>`
    select password_hash, password_changed_at from user_accounts`
  return row
}

let old: Awaited<ReturnType<typeof account>>
beforeEach(async () => {
  old ??= await account()
  await before.sql`update user_accounts set password_hash = ${old.password_hash}`
})

const login = (fullStack: FullStack, attempt = password) =>
  fullStack.post('/auth/login', { email, password: attempt })

describe('POST /auth/login after PASSWORD_HASH_COST rose', () => {
  test('200: stores the password at the new cost; it logs in as before, and nothing was changed for its owner', async () => {
    expect(old.password_hash).toMatch(/^\$2[aby]\$10\$/)
    const device = setCookieOf(await login(before), deviceCookie)?.value ?? ''
    expect((await login(dearer)).status).toBe(200)
    const now = await account()
    expect(now.password_hash).toMatch(/^\$2[aby]\$11\$/)
    expect(now.password_changed_at).toEqual(old.password_changed_at)
    expect((await login(dearer)).status).toBe(200)
    expect((await login(before)).status).toBe(200)

    for (let tries = 0; tries < 5; tries++) await login(dearer, 'wrong')
    const headers = { cookie: `${deviceCookie}=${device}` }
    expect((await dearer.post('/auth/login', { email, password }, { headers })).status).toBe(200)
    await before.sql`truncate login_counters`
  })

  test('200: several concurrent logins all succeed, each with the earlier hash', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map(() => login(dearer)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect((await account()).password_hash).toMatch(/^\$2[aby]\$11\$/)
  })

  test('401: a wrong password changes no hash', async () => {
    expect((await login(dearer, 'wrong')).status).toBe(401)
    expect((await account()).password_hash).toBe(old.password_hash)
  })

  test('200: where the cost is lower than that of the hash, the hash stays', async () => {
    await login(dearer)
    const stored = (await account()).password_hash
    expect((await login(before)).status).toBe(200)
    expect((await account()).password_hash).toBe(stored)
  })
})
