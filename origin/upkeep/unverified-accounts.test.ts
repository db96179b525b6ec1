import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openUpkeepDatabase, type UpkeepDatabase } from '../../test/support/database/upkeep-database.ts'

let db: UpkeepDatabase
beforeAll(async () => {
  db = await openUpkeepDatabase()
})
afterAll(() => db.close())
beforeEach(() => db.sql`truncate user_accounts, audit_logs, upkeep_runs cascade`)

/** An account that nobody verified in so many days. */
async function insertAccount(email: string, days = 8): Promise<string> {
  const [row] = await db.sql<[{ id: string }]>`
    insert into user_accounts (email, password_hash, role_id, created_at)
    select ${email}, 'x', id, now() - make_interval(days => ${days}) from roles where name = 'user'
    returning id`
  await db.sql`
    insert into user_subscriptions (user_id, plan_id)
    select ${row.id}, id from subscription_plans where name = 'free'`
  return row.id
}

const insertLink = (userId: string, hours: number, kind = 'email_verification') => db.sql`
  insert into tokens (kind, user_id, token_hash, expires_at)
  values (${kind}, ${userId}, sha256(${`${userId} ${hours} ${kind}`}::text::bytea), now() + make_interval(hours => ${hours}))`

const emails = async () =>
  (await db.sql<{ email: string }[]>`select email from user_accounts order by 1`).map(({ email }) => email)

describe('unverified_accounts removes', () => {
  test('accounts of more than seven days ago, with an audit row each and all that is theirs', async () => {
    const gone = await insertAccount('old@example.com')
    await insertAccount('young@example.com', 6)
    await insertLink(gone, -1)
    await db.sql`
      insert into login_attempts (email, user_id, succeeded) values ('old@example.com', ${gone}, true)`
    expect(await db.run('unverified_accounts')).toEqual({ rows: 1, outcome: 'succeeded', error: null })
    expect(await emails()).toEqual(['young@example.com'])
    expect(await db.sql`select action, actor_id, user_id, details from audit_logs`).toEqual([
      {
        action: 'account.unverified_removed',
        actor_id: null,
        user_id: gone,
        details: { registered_at: expect.any(String) },
      },
    ])
    expect(await db.sql`select user_id from login_attempts`).toEqual([{ user_id: null }])
    expect(await db.sql`select from tokens union all select from user_subscriptions`).toHaveLength(1)
  })

  test('batch by batch, whatever their number', async () => {
    await db.sql`
      insert into user_accounts (email, password_hash, role_id, created_at)
      select n || '@example.com', 'x', roles.id, now() - interval '8 days'
      from generate_series(1, 1201) n, roles where name = 'user'`
    expect(await db.run('unverified_accounts')).toMatchObject({ rows: 1201, outcome: 'succeeded' })
    expect(await emails()).toEqual([])
    const [row] = await db.sql`select count(*)::int as count from audit_logs`
    expect(row?.count).toBe(1201)
  })
})

describe('unverified_accounts keeps', () => {
  test.each<[string, (id: string) => Promise<unknown>]>([
    ['a verified one', (id) => db.sql`update user_accounts set email_verified_at = now() where id = ${id}`],
    ['one with a verification link that works', (id) => insertLink(id, 1)],
    ['one with a reset link that works: it verifies, too', (id) => insertLink(id, 1, 'password_reset')],
    [
      'one in use',
      (id) => db.sql`
        insert into sessions (user_id, last_used_at, expires_at)
        values (${id}, now() - interval '6 days', now() + interval '1 day')`,
    ],
    [
      'one with an API key that works',
      (id) => db.sql`
        insert into api_keys (user_id, name, key_hash, hint, permissions, networks, expires_at)
        values (${id}, 'x', sha256('x'), 'x', '{}', '{}', now() + interval '1 day')`,
    ],
    ['a disabled one', (id) => db.sql`update user_accounts set status = 'disabled' where id = ${id}`],
    [
      'one with a role that somebody gave it',
      (id) => db.sql`
        update user_accounts set role_id = (select id from roles where name = 'admin') where id = ${id}`,
    ],
    [
      'one of another system',
      (id) => db.sql`update user_accounts set external_id = 'legacy-1' where id = ${id}`,
    ],
    ['an imported one', (id) => db.sql`insert into account_imports (user_id, imported) values (${id}, '{}')`],
    [
      'one that pays or has paid',
      (id) => db.sql`
        update user_subscriptions set plan_id = (select id from subscription_plans where name = 'pro')
        where user_id = ${id}`,
    ],
    [
      'one whose plan was booked by hand',
      (id) => db.sql`insert into subscription_bookings values (${id}, now())`,
    ],
  ])('%s', async (_, change) => {
    await change(await insertAccount('kept@example.com'))
    expect(await db.run('unverified_accounts')).toMatchObject({ rows: 0, outcome: 'succeeded' })
    expect(await emails()).toEqual(['kept@example.com'])
  })

  test('all accounts where UNVERIFIED_ACCOUNT_DAYS is 0', async () => {
    await insertAccount('kept@example.com', 400)
    await db.sql`call run_upkeep('unverified_accounts', now(), null, null)`
    expect(await db.runs('unverified_accounts')).toMatchObject([{ rows: 0, outcome: 'succeeded' }])
    expect(await emails()).toEqual(['kept@example.com'])
  })

  // The lock of a verification, a reset or a new link is held while upkeep looks.
  test('one that is being verified, or gets another link, at this moment', async () => {
    const verified = await insertAccount('verified@example.com')
    const linked = await insertAccount('linked@example.com')
    await db.sql.begin(async (transaction) => {
      await transaction`select from user_accounts where id in (${verified}, ${linked}) for no key update`
      await transaction`update user_accounts set email_verified_at = now() where id = ${verified}`
      await transaction`
        insert into tokens (kind, user_id, token_hash, expires_at)
        values ('email_verification', ${linked}, sha256('x'), now() + interval '1 day')`
      expect(await db.run('unverified_accounts')).toMatchObject({ rows: 0, outcome: 'succeeded' })
    })
    expect(await db.run('unverified_accounts')).toMatchObject({ rows: 0, outcome: 'succeeded' })
    expect(await emails()).toEqual(['linked@example.com', 'verified@example.com'])
  })

  // The snapshot that a batch searches by is older than the locks that it takes.
  test('one whose link was committed between the search of a batch and its removal', async () => {
    const id = await insertAccount('linked@example.com')
    await db.sql.unsafe(`
      alter function is_unverified_leftover(user_accounts, integer) rename to is_leftover;
      create function is_unverified_leftover(account user_accounts, keep_days integer) returns boolean
      language plpgsql stable as $$
      begin
        perform pg_advisory_xact_lock_shared(7);
        return is_leftover(account, keep_days);
      end $$`)
    const batch = db.connect(1)
    const { removal } = await db.sql.begin(async (transaction) => {
      await transaction`select pg_advisory_xact_lock(7)`
      const removal = batch`select remove_unverified_accounts(7)::int as removed`.execute()
      await db.waiting(1)
      await insertLink(id, 1)
      return { removal }
    })
    expect(await removal).toEqual([{ removed: 0 }])
    expect(await emails()).toEqual(['linked@example.com'])
  })
})
