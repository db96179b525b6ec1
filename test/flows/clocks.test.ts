import { afterEach, describe, expect, test, vi } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { createFullStack, problem } from '../support/full-stack/full-stack.ts'

afterEach(() => {
  vi.useRealTimers()
})

const minutes = 60_000

// A machine whose clock is off, or jumps when it is set right: were there two clocks, a lock would
// end early for who asks the right replica.
describe.each([
  ['ahead', 5],
  ['behind', -5],
])('with the services’ clocks five minutes %s of the database’s', (_, ahead) => {
  async function createSkewedFullStack() {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ahead * minutes })
    return createFullStack()
  }

  test('sessions and refresh tokens live as long as ever, and the grace window is as long', async () => {
    await using fullStack = disposable(await createSkewedFullStack())
    const { tokens } = await fullStack.signUp('ada@example.com')
    const [left] = await fullStack.sql`
      select
        extract(epoch from sessions.expires_at - now())::float8 as session,
        extract(epoch from tokens.expires_at - now())::float8 as token
      from sessions, tokens where tokens.kind = 'refresh'`
    expect(left?.session).toBeCloseTo(2_592_000, -2)
    expect(left?.token).toBeCloseTo(604_800, -2)

    const refresh = (refresh_token = tokens.refresh_token) =>
      fullStack.post('/auth/refresh', { refresh_token })
    const second = ((await (await refresh()).json()) as TokenResponse).refresh_token
    expect((await refresh()).status).toBe(200)
    expect((await refresh(second)).status).toBe(200)
    await fullStack.sql`update tokens set spent_at = spent_at - interval '10 seconds' where spent_at is not null`
    expect(await problem(await refresh())).toMatchObject({ status: 401, code: 'refresh_reused' })
  })

  test('a lockout begins at the fifth failure, and ends by the clock of the database', async () => {
    await using fullStack = disposable(await createSkewedFullStack())
    const { email, password } = await fullStack.signUp('ada@example.com')
    const login = (tried: string) => fullStack.post('/auth/login', { email, password: tried })
    for (let i = 0; i < 5; i++) expect((await login('wrong horse battery')).status).toBe(401)
    const [lock] = await fullStack.sql`
      select extract(epoch from window_ends_at - now())::float8 as left from login_counters where locked_at is not null`
    expect(lock?.left).toBeCloseTo(900, -2)

    vi.setSystemTime(Date.now() + 60 * minutes)
    expect((await login(password)).status).toBe(401)
    await fullStack.sql`update login_counters set window_ends_at = now()`
    expect((await login(password)).status).toBe(200)
  })
})

function disposable<World extends { close(): Promise<void> }>(fullStack: World) {
  return Object.assign(fullStack, { [Symbol.asyncDispose]: () => fullStack.close() })
}
