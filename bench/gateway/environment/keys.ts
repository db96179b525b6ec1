import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashToken } from '../../../origin/opaque-token.ts'
import { formatApiKey } from '../../../shared/auth/api-key.ts'
import { openDatabase } from '../../accounts/environment/seed.ts'

/** A quota that no measured user reaches. */
const quota = 100_000_000

/** Of one statement. */
const batch = 5000

/**
 * API keys of as many accounts, each on a plan in the middle, in a file that the load reads, a line
 * each.
 */
export async function writeKeys(folder: string, database: string, users: number): Promise<string> {
  const keys = Array.from({ length: users }, () => formatApiKey(randomBytes(32)))
  const sql = await openDatabase(database)
  try {
    await sql`update subscription_plans set api_quota_per_hour = ${quota} where name = 'pro'`
    for (let from = 0; from < users; from += batch) {
      const hashes = keys.slice(from, from + batch).map((key) => hashToken(key).toString('hex'))
      await sql`
        with given as (
          select 'key-' || (number + ${from}::int) || '@example.com' as email, decode(hash, 'hex') as hash
          from unnest(${hashes}::text[]) with ordinality as given (hash, number)
        ),
        accounts as (
          insert into user_accounts (email, role_id)
          select email, (select id from roles where name = 'subscriber') from given
          returning id, email
        ),
        subscriptions as (
          insert into user_subscriptions (user_id, plan_id, status, period_started_at)
          select id, (select id from subscription_plans where name = 'pro'), 'active', now() from accounts
        )
        insert into api_keys (user_id, name, key_hash, hint, permissions, networks, expires_at)
        select accounts.id, 'bench', given.hash, '', '{dashboard.read,profile.read}', '{}', now() + interval '1 day'
        from accounts join given using (email)`
    }
  } finally {
    await sql.end()
  }
  const file = join(folder, 'keys')
  writeFileSync(file, keys.join('\n'))
  return file
}
