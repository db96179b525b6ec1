import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { createWorld, type World } from '../../test/support/full-stack/full-stack.ts'
import { roomy } from '../../test/support/high-limits.ts'

const statements: string[] = []

let world: World
let refreshToken: string
beforeAll(async () => {
  world = await createWorld({ environment: roomy })
  const { tokens } = await world.signUp('ada@example.com')
  refreshToken = tokens.refresh_token
  await world.mails('ada@example.com')
  const options = world.sql.options as { debug?: unknown }
  options.debug = (_connection: number, statement: string) => statements.push(statement)
})
afterAll(() => world.close())

/**
 * What the origin asked of the database, but for the mail relay, which asks every three seconds.
 */
const asked = () => statements.filter((statement) => !statement.includes('mail_outbox'))

async function refresh(token: string): Promise<TokenResponse> {
  statements.length = 0
  return (await (await world.post('/auth/refresh', { refresh_token: token })).json()) as TokenResponse
}

test('an ordinary rotation is one statement; a replay is one more, which only reads', async () => {
  const { refresh_token: next } = await refresh(refreshToken)
  expect(asked()).toHaveLength(1)
  expect((await refresh(refreshToken)).refresh_token).toBe(next)
  expect(asked()).toHaveLength(2)
  expect(asked()[1]?.trim()).toMatch(/^select/)
})
