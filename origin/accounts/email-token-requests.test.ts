import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { closeSeconds, createCommandDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import type { EmailTokenKind } from '../email-tokens/queries.ts'
import {
  insertEmailTokenRequest,
  processEmailTokenRequests,
  requestsPerRound,
} from './email-token-requests.ts'

const context = { ip: null, userAgent: null, requestId: 'test' }

let database: TestDatabase
let sql: Sql
beforeAll(async () => {
  database = await createTestDatabase()
  sql = createCommandDatabase(database.url, createCapturedLog('origin').log)
})
afterAll(async () => {
  await sql.end({ timeout: closeSeconds })
  await database.drop()
})
beforeEach(() => sql`truncate reset_requests, verification_requests, audit_logs`)

/** No address here has an account, so no link is sent. */
const emailTokens = { sendReset: async () => {}, sendVerification: async () => {} }

const answer = (signal?: AbortSignal) => processEmailTokenRequests({ sql, emailTokens }, signal)

async function request(kind: EmailTokenKind, times: number) {
  for (let time = 0; time < times; time++)
    await insertEmailTokenRequest(sql, kind, { email: `nobody${time}@example.com`, context })
}

const answered = async () =>
  (await sql<{ action: string }[]>`select action from audit_logs order by id`).map(({ action }) => action)

test('a flood of password resets does not hold up a verification link, nor the reverse', async () => {
  await request('password_reset', 10)
  await request('email_verification', 3)
  expect(await answer()).toBe(false)
  expect(await answered()).toEqual([
    ...Array(3).fill(['password.reset_requested', 'account.verification_requested']).flat(),
    ...Array(7).fill('password.reset_requested'),
  ])
})

test('a flood of requests does not hold up the mails that are due: a round is bounded', async () => {
  await request('password_reset', requestsPerRound + 1)
  expect(await answer()).toBe(true)
  expect(await answered()).toHaveLength(requestsPerRound)
  expect(await answer()).toBe(false)
  expect(await answered()).toHaveLength(requestsPerRound + 1)
})

test('a signal ends the round', async () => {
  await request('email_verification', 2)
  expect(await answer(AbortSignal.abort())).toBe(false)
  expect(await answered()).toEqual([])
})
