import { selectIdByEmail } from '../../origin/admin/user-queries.ts'
import { withDatabase } from '../../origin/db/command-database.ts'
import { createCommandDatabase } from '../../origin/db/database.ts'
import { selectEntitlements } from '../../origin/entitlements/queries.ts'
import { selectNames } from '../../origin/plans/queries.ts'
import { CommandError } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { createLog } from '../../shared/node/log.ts'
import type { CallerClaims } from './local-gateway.ts'

function openDatabase() {
  const { DATABASE_URL, LOG_LEVEL } = configFromEnvironment(['DATABASE_URL', 'LOG_LEVEL'])
  return createCommandDatabase(DATABASE_URL, createLog('policy', LOG_LEVEL))
}

/** Permissions and features that the origin has. */
export function readKnownNames() {
  const sql = openDatabase()
  return withDatabase(sql, () => selectNames(sql))
}

/**
 * The claims that the next access token of an account would have.
 *
 * @throws CommandError where there is no such account, or it is disabled
 */
export function readClaims(email: string): Promise<CallerClaims> {
  const sql = openDatabase()
  return withDatabase(sql, async () => {
    const sub = await selectIdByEmail(sql, email)
    if (sub === undefined) throw new CommandError(`There is no account ${email}.`)
    const entitlements = await selectEntitlements(sql, sub)
    if (!entitlements) throw new CommandError(`The account ${email} is disabled: it gets no token.`)
    const { secondsLeft, ...claims } = entitlements
    // Of a login by password at this moment.
    return { sub, ...claims, amr: ['pwd'], acr: 'aal1', auth_time: Math.floor(Date.now() / 1000) }
  })
}
