import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenAnswer } from '../../shared/contract.ts'
import { roomy } from '../../test/roomy.ts'
import { createWorld, problem, type World } from '../../test/world.ts'

const password = 'correct horse battery'

let world: World
let spent: TokenAnswer
let live: TokenAnswer
beforeAll(async () => {
  world = await createWorld({ environment: roomy })
  spent = (await world.signUp('ada@example.com', password)).tokens
  live = (await (
    await world.post('/auth/refresh', { refresh_token: spent.refresh_token })
  ).json()) as TokenAnswer
  await world.sql`
    create function refuse_audit() returns trigger language plpgsql as $$
    begin raise exception 'the audit log is full of secrets'; end $$`
  await world.sql`
    create trigger refuse_audit before insert on audit_logs for each row execute function refuse_audit()`
})
afterAll(() => world.close())

/** Every row that a request could have changed. */
async function everything() {
  const tables = ['user_accounts', 'user_subscriptions', 'login_attempts', 'sessions', 'tokens', 'audit_logs']
  const rows = tables.map((table) => world.sql`select * from ${world.sql(table)} order by id`)
  return Promise.all(rows)
}

let before: unknown
beforeEach(async () => {
  before = await everything()
})

async function expectNothingDone(answer: Response) {
  expect(answer.status).toBe(500)
  const refusal = await problem(answer)
  expect(refusal.code).toBe('internal_error')
  expect(JSON.stringify(refusal)).not.toContain('audit')
  expect(await everything()).toEqual(before)
}

// What leaves no trail does not happen: else an attacker who fills the disk works unseen.
describe('500 internal_error, and nothing half-written, where the audit row cannot be:', () => {
  test('POST /auth/register makes no account', async () => {
    await expectNothingDone(await world.post('/auth/register', { email: 'bob@example.com', password }))
  })

  test('POST /auth/login opens no session', async () => {
    await expectNothingDone(await world.post('/auth/login', { email: 'ada@example.com', password }))
  })

  test('POST /auth/login records no attempt with a wrong password', async () => {
    await expectNothingDone(await world.post('/auth/login', { email: 'ada@example.com', password: 'wrong' }))
  })

  test('POST /auth/refresh with a spent token ends no session', async () => {
    await expectNothingDone(await world.post('/auth/refresh', { refresh_token: spent.refresh_token }))
  })

  test('POST /auth/logout ends no session', async () => {
    await expectNothingDone(await world.post('/auth/logout', { refresh_token: live.refresh_token }))
  })
})
