import type { Queryable } from '../../origin/db/types.ts'

/** Accounts by their numbers, both included. */
export interface Range {
  first: number
  last: number
}

/** The domain of every seeded address; nobody's (RFC 2606). */
export const seedDomain = 'seed.example.com'

const addressOf = (sql: Queryable) => sql`'u' || n || ${`@${seedDomain}`}`

/** How long login attempts and audit rows reach back, at most. */
const auditDays = 90

/** Any number that no other program locks: two seeds at once take turns. */
const seedLock = '4148305192'

/**
 * An account that is neither of the seed nor one of `known`.
 * @returns its address, undefined where there is none
 */
export async function selectForeignAccount(
  sql: Queryable,
  known: readonly string[],
): Promise<string | undefined> {
  const [row] = await sql<[{ email: string }?]>`
    select email from user_accounts
    where email !~ ${`^u[0-9]+@${seedDomain}$`} and lower(email collate "C") <> all(${known as string[]})
    limit 1`
  return row?.email
}

/**
 * Chooses the accounts of a range that are missing, until the transaction ends. Of a hundred 70 are
 * on free, 15 on starter, 10 on pro, 4 on business, 1 on enterprise; of a hundred paid
 * subscriptions 85 are live.
 *
 * @returns how many are missing
 */
export async function chooseMissing(sql: Queryable, { first, last }: Range): Promise<number> {
  await sql`select pg_advisory_xact_lock(${seedLock})`
  await sql`
    create temporary table seeded (
      n bigint, user_id uuid, email text, plan text, state text, since timestamptz, changed_at timestamptz
    ) on commit drop`
  const { count } = await sql`
    with numbered as (
      select n, ${addressOf(sql)} as email, pg_temp.draw('plan', n, 100) as plan, pg_temp.draw('state', n, 100) as state,
        now() - interval '26280 hours' * (pg_temp.draw('since', n, 100000) / 100000.0) - interval '1 hour' as since
      from generate_series(${first}::bigint, ${last}::bigint) as n
    )
    insert into seeded
    select n, pg_temp.draw_id('user', n), email,
      case
        when plan < 70 then 'free' when plan < 85 then 'starter' when plan < 95 then 'pro' when plan < 99 then 'business'
        else 'enterprise'
      end,
      case
        when plan < 70 or state < 85 then 'live' when state < 90 then 'past_due' when state < 95 then 'canceled'
        else 'lapsed'
      end,
      since,
      case when pg_temp.draw('history', n, 5) = 0 then pg_temp.draw_moment('change', n, since) end
    from numbered
    where not exists (select from user_accounts account where lower(account.email collate "C") = numbered.email)`
  await sql`analyze seeded`
  return count
}

/**
 * One in a thousand is an admin, one in a hundred disabled, one in ten unverified. Accounts on a
 * paid plan are subscribers.
 */
export async function insertAccounts(sql: Queryable, passwordHash: string): Promise<void> {
  await sql`
    insert into user_accounts
      (id, email, password_hash, display_name, role_id, status, email_verified_at, created_at, updated_at, password_changed_at)
    select user_id, email, ${passwordHash},
      case when pg_temp.draw('named', n, 5) > 0 then
        (array[
          'Ada', 'Alan', 'Barbara', 'Clara', 'Donald', 'Edsger', 'Frances', 'Grace',
          'Hedy', 'John', 'Katherine', 'Leslie', 'Margaret', 'Niklaus', 'Radia', 'Tony'
        ])[1 + pg_temp.draw('given', n, 16)]
        || ' ' ||
        (array[
          'Adams', 'Brandt', 'Costa', 'Dubois', 'Eriksen', 'Fischer', 'Garcia', 'Horvat',
          'Ivanova', 'Jansen', 'Kowalski', 'Larsen', 'Moreau', 'Novak', 'Okafor', 'Popescu'
        ])[1 + pg_temp.draw('family', n, 16)]
      end,
      role.id,
      case when pg_temp.draw('disabled', n, 100) = 0 then 'disabled' else 'active' end,
      case when pg_temp.draw('verified', n, 10) > 0 then since + interval '5 minutes' end,
      since, since, since
    from seeded
    join roles role on role.name = case
      when pg_temp.draw('admin', n, 1000) = 0 then 'admin'
      when plan <> 'free' and state = 'live' then 'subscriber'
      else 'user'
    end`
}

/** Each has a current one; one in five had another before. */
export async function insertSubscriptions(sql: Queryable): Promise<void> {
  await sql`
    insert into user_subscriptions
      (user_id, plan_id, status, period_started_at, period_ends_at, ended_at, created_at, updated_at)
    select user_id, plan.id, 'canceled', since, changed_at + interval '1 day', changed_at, since, changed_at
    from seeded
    join subscription_plans plan on plan.name = case when pg_temp.draw('before', n, 2) = 0 then 'starter' else 'pro' end
    where changed_at is not null`
  await sql`
    with current as (
      select *, case
          when plan = 'free' then coalesce(changed_at, since)
          when state = 'lapsed' then now() - interval '1 day' * (31 + pg_temp.draw('period', n, 30))
          else now() - interval '1 day' * pg_temp.draw('period', n, 30)
        end as started_at
      from seeded
    )
    insert into user_subscriptions
      (user_id, plan_id, status, period_started_at, period_ends_at, created_at, updated_at)
    select user_id, plan.id, case when state in ('past_due', 'canceled') then state else 'active' end, started_at,
      case when plan <> 'free' then started_at + interval '30 days' end,
      coalesce(changed_at, since), coalesce(changed_at, since)
    from current
    join subscription_plans plan on plan.name = current.plan`
}

/**
 * Up to three of the last 30 days, one in five ended, each with a spent refresh token and the one
 * after it.
 */
export async function insertSessions(sql: Queryable): Promise<void> {
  await sql`
    with opened as (
      select user_id, key, pg_temp.draw_moment('opened', key, greatest(since, now() - interval '30 days')) as opened_at
      from seeded
      cross join lateral generate_series(1, pg_temp.draw('sessions', n, 4)) as nth
      cross join lateral (select n * 10 + nth as key) as keyed
    ),
    used as (select *, pg_temp.draw_moment('used', key, opened_at) as used_at from opened)
    insert into sessions
      (id, user_id, ip, user_agent, last_used_at, expires_at, ended_at, end_reason, created_at, updated_at)
    select pg_temp.draw_id('session', key), user_id, pg_temp.draw_ip(key), pg_temp.draw_browser(key), used_at,
      opened_at + interval '30 days', case when ended then used_at end, case when ended then 'logout' end, opened_at, used_at
    from used
    cross join lateral (select pg_temp.draw('ended', key, 5) = 0 as ended) as fate`
  await sql`
    insert into tokens (kind, user_id, session_id, token_hash, ip, user_agent, expires_at, spent_at, created_at)
    select 'refresh', session.user_id, session.id, pg_temp.draw_hash(session.id || token.name, n), session.ip, session.user_agent,
      least(token.made_at + interval '7 days', session.expires_at), token.spent_at, token.made_at
    from seeded
    join sessions session on session.user_id = seeded.user_id
    cross join lateral (values
      ('first', session.created_at, session.last_used_at),
      ('second', session.last_used_at, null)
    ) as token (name, made_at, spent_at)`
}

/** Up to ten tries each, one in ten with a wrong password, and the audit row of each. */
export async function insertAuditLogs(sql: Queryable): Promise<void> {
  await sql`
    with tries as materialized (
      select user_id, email, key, pg_temp.draw('wrong', key, 10) = 0 as wrong,
        pg_temp.draw_moment('try', key, greatest(since, now() - interval '24 hours' * ${auditDays})) as tried_at
      from seeded
      cross join lateral generate_series(1, pg_temp.draw('tries', n, 11)) as nth
      cross join lateral (select n * 100 + nth as key) as keyed
    ),
    attempts as (
      insert into login_attempts (email, user_id, ip, user_agent, succeeded, reason, created_at)
      select email, user_id, pg_temp.draw_ip(key), pg_temp.draw_browser(key), not wrong,
        case when wrong then 'wrong_password' end, tried_at
      from tries
      order by tried_at
    )
    insert into audit_logs (action, actor_id, user_id, ip, user_agent, request_id, details, created_at)
    select case when wrong then 'login.failed' else 'login.succeeded' end, case when not wrong then user_id end, user_id,
      pg_temp.draw_ip(key), pg_temp.draw_browser(key), pg_temp.draw_id('request', key),
      case when wrong then '{"reason": "wrong_password"}'::jsonb else '{}' end, tried_at
    from tries
    order by tried_at`
  await sql`
    insert into audit_logs (action, actor_id, user_id, ip, user_agent, request_id, created_at)
    select 'account.registered', user_id, user_id, pg_temp.draw_ip(n), pg_temp.draw_browser(n),
      pg_temp.draw_id('registration', n), since
    from seeded
    where since > now() - interval '24 hours' * ${auditDays}`
}

/** One account in twenty ran into its limit this month. */
export async function insertRateLimitLogs(sql: Queryable): Promise<void> {
  await sql`
    insert into rate_limit_logs (limit_class, limit_key, method, route, refused, created_at)
    select 'user', user_id::text, 'GET', '/v1/reports', 1 + pg_temp.draw('refused', n, 40),
      pg_temp.draw_moment('refusal', n, greatest(since, now() - interval '30 days'))
    from seeded
    where pg_temp.draw('limited', n, 20) = 0`
}

/** The trail lies in the months that it would have come in, as upkeep makes them. */
export async function makeAuditPartitions(sql: Queryable): Promise<void> {
  await sql`
    select make_partition('login_attempts', month), make_partition('audit_logs', month)
    from generate_series(date_trunc('month', now() - interval '24 hours' * ${auditDays}, 'UTC'), now(), interval '1 month') as month`
}

/** Bulk readers see the accounts from now on. */
export async function refreshViews(sql: Queryable): Promise<void> {
  await sql`select refresh_views()`
}
