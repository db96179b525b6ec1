import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { seedDomain } from '../../dev/seed/queries.ts'
import type { OriginConfig } from '../../origin/config.ts'
import type { Sql } from '../../origin/db/types.ts'
import { entitlementColumns, entitlementTables } from '../../origin/entitlements/queries.ts'
import { createEncryption } from '../../origin/keys/encryption.ts'
import { createFirstKey } from '../../origin/keys/first-key.ts'
import { createKeyRing } from '../../origin/keys/key-ring.ts'
import { hashToken, newOpaqueToken } from '../../origin/opaque-token.ts'
import { createAccessTokens } from '../../origin/sessions/access-tokens.ts'
import type { SessionWithEntitlements } from '../../origin/sessions/queries.ts'

/** Of one statement, and of signatures under way. */
const batchUsers = 2000

interface SignInOptions {
  sql: Sql
  config: OriginConfig
  /** Seeded accounts u1 to u<users>. */
  users: number
  /**
   * Gets a line for each that is active: id, email, plan, end of the access token in seconds since
   * 1970, refresh token, access token.
   */
  file: string
}

/**
 * Signs all seeded users in, as far as a gateway or an origin could tell: a session and a refresh
 * token in the database, an access token of the origin's own making. Their logins would hash
 * 100,000 passwords, which is hours of bcrypt and no part of what is measured.
 *
 * @returns how many are signed in
 */
export async function signIn({ sql, config, users, file }: SignInOptions): Promise<number> {
  const encryption = createEncryption(config.KEY_ENCRYPTION_KEY)
  await createFirstKey(sql, encryption)
  const accessTokens = createAccessTokens({
    keys: await createKeyRing(sql, encryption),
    issuer: config.ISSUER_URL,
    audience: config.ACCESS_TOKEN_AUDIENCE,
    lifeSeconds: config.ACCESS_TOKEN_SECONDS,
    aal2Seconds: config.MFA_SECONDS,
  })
  const out = createWriteStream(file, { mode: 0o600 })
  let signedIn = 0
  for (let first = 1; first <= users; first += batchUsers) {
    const refreshTokens = new Map<string, string>()
    for (let number = first; number < Math.min(first + batchUsers, users + 1); number++)
      refreshTokens.set(`u${number}@${seedDomain}`, newOpaqueToken())

    const bearers = await openSessions(sql, refreshTokens)
    const lines = bearers.map(async (bearer) => {
      const { token, expiresIn } = await accessTokens.sign(bearer)
      const expiresAt = Math.floor(Date.now() / 1000) + expiresIn
      const { userId, email, plan } = bearer
      return `${[userId, email, plan, expiresAt, refreshTokens.get(email), token].join(' ')}\n`
    })
    out.write((await Promise.all(lines)).join(''))
    signedIn += lines.length
  }
  out.end()
  await finished(out)
  return signedIn
}

/** @param refreshTokens by address; those of disabled accounts are not used */
async function openSessions(
  sql: Sql,
  refreshTokens: ReadonlyMap<string, string>,
): Promise<SessionWithEntitlements[]> {
  const hashes = [...refreshTokens.values()].map((token) => hashToken(token).toString('hex'))
  return sql<SessionWithEntitlements[]>`
    with chosen as (
      select account.id as user_id, given.hash
      from unnest(${[...refreshTokens.keys()]}::text[], ${hashes}::text[]) as given (email, hash)
      join user_accounts account on lower(account.email collate "C") = given.email and account.status = 'active'
    ),
    opened as (
      insert into sessions (user_id, ip, user_agent, expires_at)
      select user_id, '127.0.0.1', 'k6', now() + interval '30 days' from chosen
      returning id, user_id, amr, acr, created_at
    ),
    stored as (
      insert into tokens (kind, user_id, session_id, token_hash, ip, user_agent, expires_at)
      select 'refresh', user_id, opened.id, decode(hash, 'hex'), '127.0.0.1', 'k6', now() + interval '7 days'
      from opened join chosen using (user_id)
      returning session_id, expires_at
    )
    select account.id as "userId", opened.id as "sessionId",
      extract(epoch from stored.expires_at - now())::float8 as "sessionSecondsLeft",
      opened.amr, opened.acr, floor(extract(epoch from opened.created_at))::float8 as "authTime",
      0::float8 as "secondsSinceAuthTime", ${entitlementColumns(sql)}
    from opened join stored on stored.session_id = opened.id
    join user_accounts account on account.id = opened.user_id ${entitlementTables(sql)}`
}
