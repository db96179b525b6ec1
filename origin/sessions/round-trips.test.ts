import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const statements: string[] = []

let fullStack: FullStack
let refreshToken: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  const { tokens } = await fullStack.signUp('ada@example.com')
  refreshToken = tokens.refresh_token
  await fullStack.mails('ada@example.com')
  const options = fullStack.sql.options as { debug?: unknown }
  options.debug = (_connection: number, statement: string) => statements.push(statement)
})
afterAll(() => fullStack.close())

/** Queries of the origin without those of the mail relay, which runs one every three seconds. */
const asked = () => statements.filter((statement) => !statement.includes('mail_outbox'))

async function refresh(token: string): Promise<TokenResponse> {
  statements.length = 0
  return (await (await fullStack.post('/auth/refresh', { refresh_token: token })).json()) as TokenResponse
}

test('an ordinary rotation is one statement; a replay is one more, which only reads', async () => {
  const { refresh_token: next } = await refresh(refreshToken)
  expect(asked()).toHaveLength(1)
  expect((await refresh(refreshToken)).refresh_token).toBe(next)
  expect(asked()).toHaveLength(2)
  expect(asked()[1]?.trim()).toMatch(/^select/)
})
