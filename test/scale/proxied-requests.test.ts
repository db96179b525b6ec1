import { afterAll, beforeAll, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'
import { describeWith } from '../support/vitest/describe-with.ts'
import { countsStatements } from './server-abilities.ts'
import { createStatementCounts } from './statement-counts.ts'

const password = 'correct horse battery'
const readers = ['ada', 'alan', 'grace', 'radia'].map((name) => `${name}@example.com`)
const requests = 200

let fullStack: FullStack
let counts: ReturnType<typeof createStatementCounts>
let tokens: string[]
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  counts = createStatementCounts(fullStack.remains.databaseUrl)
  for (const email of readers) await fullStack.signUp(email, password)
  await fullStack.sql`update user_subscriptions set plan_id = (select id from subscription_plans where name = 'pro')`
  tokens = await Promise.all(
    readers.map(async (email) => (await fullStack.login(email, password)).access_token),
  )
  for (const email of readers) await fullStack.mails(email)
})
afterAll(async () => {
  await counts.close()
  await fullStack.close()
})

/** Queries of the origin's own pollers, every few seconds: mail, keys, revocations, upkeep. */
const isBackground = (statement: string) =>
  /\b(mail_outbox|reset_requests|verification_requests|signing_keys|revocations|upkeep_runs|run_upkeep)\b/.test(
    statement,
  )

/**
 * Transactions have one of each around their statements, the background's too; a new connection
 * asks for the types.
 */
const isFrame = (statement: string) => /^(begin|commit)$|pg_catalog\.pg_type/.test(statement)

/** Statements that requests caused, each as often as it ran. */
async function causedBy(work: () => Promise<unknown>): Promise<string[]> {
  const ran = await counts.during(work)
  return [...ran]
    .filter(([statement]) => !isBackground(statement) && !isFrame(statement))
    .flatMap(([statement, calls]) => Array<string>(calls).fill(statement))
}

async function answered(status: number, answer: Response | Promise<Response>): Promise<Response> {
  const { status: given } = await answer
  expect(given).toBe(status)
  return answer
}

const get = (path: string, nth: number) =>
  answered(200, fullStack.call(path, { headers: bearer(tokens[nth % tokens.length] ?? '') }))

describeWith('extension pg_stat_statements', await countsStatements())(
  'statements, as PostgreSQL itself counts them',
  () => {
    test('200 proxied requests of signed-in users cause none', async () => {
      const caused = await causedBy(async () => {
        for (let nth = 0; nth < requests; nth++) await get('/v1/reports', nth)
      })
      expect(caused).toEqual([])
    })

    test('a proxied request that is rejected causes none either', async () => {
      const caused = await causedBy(async () => {
        await answered(401, fullStack.call('/v1/reports'))
        await answered(401, fullStack.call('/v1/reports', { headers: bearer('none') }))
        await answered(
          403,
          fullStack.call('/admin/users/1/unlock', { method: 'POST', headers: bearer(tokens[0] ?? '') }),
        )
      })
      expect(caused).toEqual([])
    })

    test('GET /v1/me is one, each time: the count sees what there is', async () => {
      const caused = await causedBy(async () => {
        for (let nth = 0; nth < requests; nth++) await get('/v1/me', nth)
      })
      expect(caused).toHaveLength(requests)
      expect(new Set(caused).size).toBe(1)
      expect(caused[0]).toContain('from user_accounts where id = $1')
    })

    test('a refresh is one', async () => {
      const { refresh_token: token } = await fullStack.login(readers[0] ?? '', password)
      const caused = await causedBy(() =>
        answered(200, fullStack.post('/auth/refresh', { refresh_token: token })),
      )
      expect(caused).toHaveLength(1)
      expect(caused[0]).toContain('update tokens set spent_at')
    })

    test('a login is ten, however many accounts there are, and two of limits that are counted here', async () => {
      const caused = await causedBy(() => fullStack.login(readers[0] ?? '', password))
      const ofLimits = caused.filter((statement) => statement.includes('limit_counters'))
      expect({ all: caused.length, ofLimits: ofLimits.length }).toEqual({ all: 12, ofLimits: 2 })
    })
  },
)
