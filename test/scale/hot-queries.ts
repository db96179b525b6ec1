import { randomBytes } from 'node:crypto'
import { selectProfile } from '../../origin/accounts/queries.ts'
import { insertAuditRow } from '../../origin/audit/queries.ts'
import { insertLoginAttempt, lockUnnotifiedOwnerForUpdate } from '../../origin/auth/queries.ts'
import type { Sql } from '../../origin/db/types.ts'
import { raiseUserEpoch } from '../../origin/entitlements/epochs.ts'
import { selectEntitlements } from '../../origin/entitlements/queries.ts'
import { selectLiveAccounts, selectRefreshedAccounts } from '../../origin/internal/directory-queries.ts'
import { lockPasswordForUpdate, reserveAttempt } from '../../origin/lockout/queries.ts'
import {
  endSessions,
  insertRefreshToken,
  insertSession,
  rotateRefreshToken,
  selectLiveSessions,
  selectOwner,
  selectReplay,
  selectReusedOwner,
  selectSurplusSessions,
} from '../../origin/sessions/queries.ts'
import { selectCurrentSubscription } from '../../origin/subscriptions/queries.ts'

/** A seeded account, and a session of its own with both its refresh tokens. */
export interface SeededAccount {
  userId: string
  email: string
  passwordVersion: string
  sessionId: string
  spentHash: Buffer
  liveHash: Buffer
}

/** A query function of the origin on the request path, called as its service calls it. */
export interface HotQuery {
  name: string
  /** The caller of the query. */
  where: string
  /** How many accounts it is about, where that is not one. */
  accounts?: number
  run: (sql: Sql, account: SeededAccount, others: SeededAccount[]) => Promise<unknown>
}

const context = { ip: '198.18.0.1', userAgent: 'scale', requestId: 'scale' }
const lifeSeconds = 3600
const token = () => ({ hash: randomBytes(32), lifeSeconds, context })
const counted = { ownGroups: [], excludedGroups: [], maxAttempts: 5, windowSeconds: 900 }

/** Some change what they read: each gets a subject that no other has had. */
export const hotQueries: readonly HotQuery[] = [
  {
    name: 'reserveAttempt, known address',
    where: 'login',
    run: (sql, { email }) => reserveAttempt(sql, { subject: 'password', accountRef: { email }, ...counted }),
  },
  {
    name: 'reserveAttempt, unknown address',
    where: 'login',
    run: (sql, { userId }) =>
      reserveAttempt(sql, {
        subject: 'password',
        accountRef: { email: `${userId}@example.org` },
        ...counted,
      }),
  },
  {
    name: 'lockPasswordForUpdate',
    where: 'login',
    run: (sql, { userId: id, passwordVersion }) => lockPasswordForUpdate(sql, { id, passwordVersion }),
  },
  {
    name: 'insertLoginAttempt',
    where: 'login',
    run: (sql, { userId, email }) => insertLoginAttempt(sql, { email, userId, kind: 'succeeded', context }),
  },
  {
    name: 'insertAuditRow',
    where: 'everything that changes something',
    run: (sql, { userId }) =>
      insertAuditRow(sql, { action: 'login.succeeded', actorId: userId, userId, context }),
  },
  {
    name: 'insertSession',
    where: 'login',
    run: (sql, { userId }) =>
      insertSession(sql, { userId, lifeSeconds, authentication: { amr: ['pwd'], acr: 'aal1' }, context }),
  },
  {
    name: 'insertRefreshToken',
    where: 'login',
    run: (sql, { sessionId }) => insertRefreshToken(sql, sessionId, token()),
  },
  {
    name: 'selectSurplusSessions',
    where: 'login',
    run: (sql, { userId }) => selectSurplusSessions(sql, userId, 20),
  },
  {
    name: 'selectEntitlements',
    where: 'login',
    run: (sql, { userId }) => selectEntitlements(sql, userId),
  },
  {
    name: 'rotateRefreshToken',
    where: 'refresh, all of it',
    run: (sql, { liveHash }) => rotateRefreshToken(sql, liveHash, token()),
  },
  {
    name: 'selectReplay',
    where: 'refresh, with a spent token',
    run: (sql, { spentHash, liveHash }) =>
      selectReplay(sql, { hash: spentHash, successorHash: liveHash, graceSeconds: 100_000_000 }),
  },
  {
    name: 'selectReusedOwner',
    where: 'refresh, with a stolen token',
    run: (sql, { spentHash }) => selectReusedOwner(sql, spentHash, 10),
  },
  { name: 'selectOwner', where: 'logout', run: (sql, { liveHash }) => selectOwner(sql, liveHash) },
  {
    name: 'endSessions, one',
    where: 'logout',
    run: (sql, { userId, sessionId }) => endSessions(sql, { userId, only: sessionId }, 'logout'),
  },
  {
    name: 'endSessions, all',
    where: 'password change',
    run: (sql, { userId }) => endSessions(sql, { userId }, 'logout_everywhere'),
  },
  {
    name: 'selectLiveSessions',
    where: '`GET /auth/sessions`',
    run: (sql, { userId }) => selectLiveSessions(sql, userId),
  },
  {
    name: 'selectProfile',
    where: '`GET /v1/me`',
    run: (sql, { userId }) => selectProfile(sql, userId),
  },
  {
    name: 'lockUnnotifiedOwnerForUpdate',
    where: 'registration, address taken',
    run: (sql, { email }) => lockUnnotifiedOwnerForUpdate(sql, email),
  },
  {
    name: 'raiseUserEpoch',
    where: 'a role or plan changes',
    run: (sql, { userId }) => raiseUserEpoch(sql, userId),
  },
  {
    name: 'selectCurrentSubscription',
    where: '`GET /v1/subscription`',
    run: (sql, { userId }) => selectCurrentSubscription(sql, userId),
  },
  {
    name: 'selectRefreshedAccounts, by id',
    where: '`GET /internal/users/{id}`',
    run: (sql, { userId }) => selectRefreshedAccounts(sql, { ids: [userId] }),
  },
  {
    name: 'selectRefreshedAccounts, by address',
    where: '`GET /internal/users?email=`',
    run: (sql, { email }) => selectRefreshedAccounts(sql, { email }),
  },
  {
    name: 'selectLiveAccounts, by id',
    where: 'the same, `?fresh=true`',
    run: (sql, { userId }) => selectLiveAccounts(sql, { ids: [userId] }),
  },
  {
    name: 'selectLiveAccounts, by address',
    where: 'the same, `?fresh=true`',
    run: (sql, { email }) => selectLiveAccounts(sql, { email }),
  },
  {
    name: 'selectRefreshedAccounts, 100 ids',
    where: '`POST /internal/entitlements`',
    accounts: 100,
    run: (sql, _, others) => selectRefreshedAccounts(sql, { ids: others.map(({ userId }) => userId) }),
  },
  {
    name: 'selectLiveAccounts, 100 ids',
    where: 'the same, `?fresh=true`',
    accounts: 100,
    run: (sql, _, others) => selectLiveAccounts(sql, { ids: others.map(({ userId }) => userId) }),
  },
]
