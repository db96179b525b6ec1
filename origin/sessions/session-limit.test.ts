import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { forceRace } from '../../test/support/full-stack/force-race.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  const environment = { ...highLimits, SESSIONS_PER_USER: '3', LOCKOUT_TRIES: '100' }
  fullStack = await createFullStack({ environment })
  await fullStack.signUp('ada@example.com', password)
})
beforeEach(() => fullStack.sql`truncate sessions, audit_logs, revocations cascade`)
afterAll(() => fullStack.close())

const login = () => fullStack.login('ada@example.com', password)

async function refresh({ refresh_token }: TokenResponse) {
  const answer = await fullStack.post('/auth/refresh', { refresh_token })
  return { status: answer.status, tokens: (await answer.json()) as TokenResponse }
}

const live = async () => (await fullStack.sql`select from sessions where ended_at is null`).length

describe('POST /auth/login beyond SESSIONS_PER_USER', () => {
  test('200: the session used longest ago ends, with revocation and audit row', async () => {
    const oldest = await login()
    const unused = await login()
    const third = await login()
    const { tokens: used } = await refresh(oldest)
    const fourth = await login()
    expect(await live()).toBe(3)
    expect((await refresh(unused)).status).toBe(401)
    for (const kept of [used, third, fourth]) expect((await refresh(kept)).status).toBe(200)
    const [ended] = await fullStack.sql`select id, user_id from sessions where end_reason = 'session_limit'`
    expect(await fullStack.sql`select subject from revocations`).toEqual([{ subject: ended?.id }])
    expect(
      await fullStack.sql`
      select session_id, user_id, details from audit_logs where action = 'session.ended'`,
    ).toEqual([{ session_id: ended?.id, user_id: ended?.user_id, details: { reason: 'session_limit' } }])
  })

  // Each of them would see only the sessions of before, and none would end another's.
  test('200: ten logins at once leave no session too many', async () => {
    const answers = await forceRace(fullStack, {
      at: 'lock table sessions in exclusive mode',
      requests: () => Array.from({ length: 10 }, login),
      waiting: 10,
    })
    expect(answers).toHaveLength(10)
    expect(await live()).toBe(3)
  })
})
