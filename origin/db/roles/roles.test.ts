import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { generateSecrets } from '../../../dev/secrets.ts'
import { createCapturedLog } from '../../../test/support/captured-log.ts'
import { jobs } from '../../../test/support/database/upkeep-database.ts'
import { bearer, createFullStack, type FullStack } from '../../../test/support/full-stack/full-stack.ts'
import { databaseUrl } from '../../../tools/servers/postgres/database-url.ts'
import { callRunUpkeep } from '../../upkeep/queries.ts'
import { createCommandDatabase } from '../database.ts'
import { migrate } from '../migrate.ts'
import { createRoles } from './create-roles.ts'

const suffix = randomBytes(6).toString('hex')
const database = `gatehouse_roles_${suffix}`
const [admin, owner, origin, next] = ['admin', 'owner', 'origin', 'next'].map(
  (name) => `gatehouse_${name}_${suffix}`,
) as [string, string, string, string]
const { log } = createCapturedLog('database')

function urlOf(user: string): string {
  const url = new URL(databaseUrl(inject('postgresUrl'), database))
  url.username = user
  return url.href
}

async function makeRoles(user: string, isPooled = false): Promise<void> {
  const sql = createCommandDatabase(urlOf(admin), log)
  const login = (name: string) => ({ user: name, password: randomBytes(16).toString('hex') })
  try {
    await createRoles(sql, { owner: login(owner), origin: login(user), isPooled })
  } finally {
    await sql.end()
  }
}

let server: Sql
let applied: number[]
beforeAll(async () => {
  server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
  // As the master user of a managed PostgreSQL: no superuser, and the owner of its database.
  await server`create role ${server(admin)} login createrole createdb`
  await server`create database ${server(database)} owner ${server(admin)}`
  await makeRoles(origin)
  applied = await migrate(urlOf(owner))
})
afterAll(async () => {
  await server`drop database if exists ${server(database)} with (force)`
  for (const role of [origin, next, owner, admin]) await server`drop role if exists ${server(role)}`
  await server.end()
})

describe('with the roles of npm run database:roles', () => {
  let stack: FullStack
  let sql: Sql
  beforeAll(async () => {
    stack = await createFullStack({
      remains: { secrets: await generateSecrets(), databaseUrl: urlOf(origin) },
    })
    sql = createCommandDatabase(urlOf(origin), log)
  })
  afterAll(async () => {
    await sql.end()
    await stack.close()
  })

  test('the owner migrates, and owns every table and view', async () => {
    expect(applied.length).toBeGreaterThan(15)
    const [tables] = await sql`
      select count(*)::int as count from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'm')
        and relowner <> ${owner}::regrole`
    expect(tables).toEqual({ count: 0 })
    expect(await migrate(urlOf(owner))).toEqual([])
  })

  test('200: sign-up, login, refresh, profile and logout at an origin whose user owns nothing', async () => {
    const { tokens } = await stack.signUp('ada@example.com')
    const refreshed = await stack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    const { access_token, refresh_token } = (await refreshed.json()) as typeof tokens
    expect((await stack.call('/v1/me', { headers: bearer(access_token) })).status).toBe(200)
    expect((await stack.post('/auth/logout', { refresh_token })).status).toBe(204)
  })

  test('each job of upkeep succeeds, also those that make and drop partitions and refresh views', async () => {
    await sql`
      insert into login_attempts (email, succeeded, created_at)
      values ('ada@example.com', true, now() - interval '400 days')`
    const month = new Date(Date.now() - 400 * 86_400_000)
    await sql`select make_partition('login_attempts', ${month})`
    for (const job of jobs) await callRunUpkeep(sql, { job, slot: new Date(Date.UTC(2026, 0, 1)) })
    const runs = await sql<{ job: string; outcome: string; error: string | null }[]>`
      select job, outcome, error from upkeep_runs where slot = '2026-01-01' order by job`
    expect(runs.filter(({ outcome }) => outcome !== 'succeeded')).toEqual([])
    expect(runs.length).toBeGreaterThanOrEqual(jobs.length)
    const old = await sql`select from login_attempts where created_at < now() - interval '399 days'`
    expect(old).toHaveLength(0)
  })

  test.each([
    ['create a table', 'create table notes (text text)'],
    ['create a temporary table', 'create temporary table notes (text text)'],
    ['drop a table', 'drop table sessions'],
    ['change a table', 'alter table sessions add column note text'],
    [
      'replace a function',
      `create or replace function refresh_views() returns void language sql as 'select'`,
    ],
    ['empty a table at once', 'truncate audit_logs'],
    ['create a role', 'create role friend login'],
    ['become the owner', `set role ${owner}`],
    ['read the passwords of roles', 'select rolpassword from pg_authid'],
    ['read files of the server', `select pg_read_file('/etc/passwd')`],
  ])('42501: an origin cannot %s', async (_, statement) => {
    await expect(sql.unsafe(statement)).rejects.toMatchObject({
      code: expect.stringMatching(/^42501$|^0LP01$/),
    })
  })

  test('42501: an origin neither changes nor deletes audit rows, in the table or a partition', async () => {
    await sql`insert into audit_logs (action) values ('roles.tested')`
    const [{ partition }] = await sql<[{ partition: string }]>`
      select tableoid::regclass::text as partition from audit_logs where action = 'roles.tested'`
    for (const table of ['audit_logs', partition])
      for (const statement of [
        `delete from ${table}`,
        `update ${table} set action = 'roles.other'`,
        `select delete_batch('${table}', 'true')`,
      ])
        await expect(sql.unsafe(statement)).rejects.toMatchObject({ code: '42501' })
    const kept = await sql`select from audit_logs where action = 'roles.tested'`
    expect(kept).toHaveLength(1)
  })

  test('42501: nor in a partition that upkeep has made since', async () => {
    const month = new Date(Date.now() - 800 * 86_400_000)
    await sql`insert into audit_logs (action, created_at) values ('roles.old', ${month})`
    await sql`select make_partition('audit_logs', ${month})`
    await expect(sql`delete from audit_logs where action = 'roles.old'`).rejects.toMatchObject({
      code: '42501',
    })
    await sql`select remove_old_rows('audit_logs', 365)`
    expect(await sql`select from audit_logs where action = 'roles.old'`).toHaveLength(0)
  })

  test('42501: an origin neither changes nor deletes login attempts', async () => {
    await sql`insert into login_attempts (email, succeeded, reason) values ('roles@example.com', false, 'wrong_password')`
    for (const statement of [
      `delete from login_attempts`,
      `update login_attempts set succeeded = true, reason = null`,
      `select delete_batch('login_attempts', 'true')`,
    ])
      await expect(sql.unsafe(statement)).rejects.toMatchObject({ code: '42501' })
    expect(await sql`select from login_attempts where email = 'roles@example.com'`).toHaveLength(1)
  })

  test.each([
    ['audit rows, of less than 30 days', 'audit_logs', 29],
    ['audit rows, of days to come', 'audit_logs', -36_500],
    ['audit rows, of no time', 'audit_logs', null],
    ['login attempts, of today', 'login_attempts', 0],
    ['another table', 'usage_days', 400],
  ])('22023: an origin does not make upkeep remove %s', async (_, table, days) => {
    await expect(sql`select remove_old_rows(${table}, ${days}::integer)`).rejects.toMatchObject({
      code: '22023',
    })
  })

  test('rights that an origin gives away reach nobody', async () => {
    await sql`grant select on user_accounts to public`
    const [row] = await sql<[{ public: boolean }]>`
      select has_table_privilege('pg_monitor', 'user_accounts', 'select') as public`
    expect(row.public).toBe(false)
  })

  test('another user of the server cannot connect to the database', async () => {
    await server`create role ${server(next)} login`
    const stranger = postgres(urlOf(next), { max: 1 })
    await expect(stranger`select`).rejects.toMatchObject({ code: '42501' })
    await stranger.end()
  })

  test('a second run gives a new user the same rights, for a rotation in which both logins are valid', async () => {
    await makeRoles(next)
    for (const user of [origin, next]) {
      const login = createCommandDatabase(urlOf(user), log)
      const updated = await login`update roles set name = name returning 1`
      expect(updated.length).toBeGreaterThan(3)
      await login.end()
    }
  })

  test('behind a pooler in transaction mode the user has the settings that a session cannot set', async () => {
    await makeRoles(origin, true)
    const rows = await server`
      select unnest(setconfig) as setting from pg_db_role_setting where setrole = ${origin}::regrole`
    expect(rows.map(({ setting }) => setting)).toContain('idle_in_transaction_session_timeout=30s')
  })

  test('no password is in the statements that a server logs', async () => {
    const [row] = await server<[{ verifier: string }]>`
      select rolpassword as verifier from pg_authid where rolname = ${origin}`
    expect(row.verifier).toMatch(/^SCRAM-SHA-256\$4096:/)
  })
})
