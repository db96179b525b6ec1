import type { Sql } from '../../origin/db/types.ts'

type Position = readonly (string | number)[]

/** A list that admins page through. */
export interface List {
  path: string
  filters: Record<string, string>
  /**
   * A position halfway down the whole list; undefined where the filters leave too little to have a
   * middle.
   */
  middle?: (sql: Sql) => Promise<Position>
}

const middleOfTrail = (table: 'audit_logs' | 'login_attempts' | 'rate_limit_logs') => async (sql: Sql) => {
  const [row] = await sql<[{ createdAt: string; id: string }]>`
    select to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt", id
    from ${sql(table)} order by ${sql(table)}.created_at desc
    offset (select count(*) / 2 from ${sql(table)}) limit 1`
  return [row.createdAt, row.id]
}

const middleOfUsers = async (sql: Sql) => {
  const [row] = await sql<[{ email: string }]>`
    select lower(email collate "C") as email from user_accounts order by lower(email collate "C")
    offset (select count(*) / 2 from user_accounts) limit 1`
  return [row.email]
}

const middleOfSubscriptions = async (sql: Sql) => {
  const [row] = await sql<[{ id: string }]>`select (max(id) / 2)::text as id from user_subscriptions`
  return [row.id]
}

/** @param userId a seeded account's, and @param email its address */
export function listsOf({ userId, email }: { userId: string; email: string }): readonly List[] {
  return [
    { path: '/admin/audit-logs', filters: {}, middle: middleOfTrail('audit_logs') },
    { path: '/admin/audit-logs', filters: { action: 'login.failed' }, middle: middleOfTrail('audit_logs') },
    { path: '/admin/audit-logs', filters: { user_id: userId } },
    { path: '/admin/audit-logs', filters: { actor_id: userId } },
    { path: '/admin/login-attempts', filters: {}, middle: middleOfTrail('login_attempts') },
    {
      path: '/admin/login-attempts',
      filters: { outcome: 'failed' },
      middle: middleOfTrail('login_attempts'),
    },
    { path: '/admin/login-attempts', filters: { email } },
    { path: '/admin/login-attempts', filters: { user_id: userId } },
    { path: '/admin/login-attempts', filters: { ip: '198.18.0.1' } },
    { path: '/admin/rate-limit-logs', filters: {}, middle: middleOfTrail('rate_limit_logs') },
    { path: '/admin/rate-limit-logs', filters: { class: 'user' }, middle: middleOfTrail('rate_limit_logs') },
    { path: '/admin/rate-limit-logs', filters: { key: userId } },
    { path: '/admin/users', filters: {}, middle: middleOfUsers },
    { path: '/admin/users', filters: { role: 'user' }, middle: middleOfUsers },
    { path: '/admin/users', filters: { role: 'admin' } },
    { path: '/admin/users', filters: { status: 'active' }, middle: middleOfUsers },
    { path: '/admin/users', filters: { status: 'disabled' } },
    { path: '/admin/users', filters: { role: 'user', status: 'disabled' } },
    { path: '/admin/users', filters: { role: 'admin', status: 'disabled' } },
    { path: '/admin/users', filters: { email_prefix: 'u99' } },
    { path: '/admin/users', filters: { email_prefix: 'u9', status: 'disabled' } },
    { path: '/admin/subscriptions', filters: {}, middle: middleOfSubscriptions },
    { path: '/admin/subscriptions', filters: { plan: 'pro' }, middle: middleOfSubscriptions },
    { path: '/admin/subscriptions', filters: { plan: 'enterprise' }, middle: middleOfSubscriptions },
    { path: '/admin/subscriptions', filters: { status: 'past_due' }, middle: middleOfSubscriptions },
    {
      path: '/admin/subscriptions',
      filters: { plan: 'pro', status: 'past_due' },
      middle: middleOfSubscriptions,
    },
    { path: '/admin/subscriptions', filters: { plan: 'enterprise', status: 'canceled' } },
    { path: '/admin/subscriptions', filters: { user_id: userId } },
  ]
}
