import { CommandError, runCommand } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { createLog } from '../../shared/node/log.ts'
import { lockRole } from '../admin/role-queries.ts'
import { lockAccountsForUpdate, selectIdByEmail } from '../admin/user-queries.ts'
import { setRole } from '../admin/user-service.ts'
import { withDatabase } from '../db/command-database.ts'
import { createCommandDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import { runImport } from '../import/run-import.ts'
import { parseCommand, type RoleCommand, usage } from './command-line.ts'

/**
 * Grants the first superadmin role, and revokes any: no rule allows either through the gateway.
 */
async function runRole(command: RoleCommand): Promise<void> {
  const config = configFromEnvironment(['DATABASE_URL', 'LOG_LEVEL'])
  const sql = createCommandDatabase(config.DATABASE_URL, createLog('accounts', config.LOG_LEVEL))
  await withDatabase(sql, async () => {
    const { before, isUnproven } = await changeRole(sql, command)
    process.stdout.write(`${command.email} was ${before} and is ${command.role} now.\n`)
    if (isUnproven)
      process.stderr.write(
        `Warning: ${command.email} is not verified. Whoever registered it has the role, its owner or not.\n`,
      )
  })
}

/**
 * @returns the former role, and whether an account with an unverified address gained permissions
 */
async function changeRole(sql: Sql, { email, role }: RoleCommand) {
  const context = { ip: null, userAgent: 'npm run accounts', requestId: crypto.randomUUID() }
  return sql.begin(async (transaction) => {
    const id = await selectIdByEmail(transaction, email)
    const account = id && (await lockAccountsForUpdate(transaction, [id])).get(id)
    if (!account) throw new CommandError(`There is no account ${email}.`)
    const given = await lockRole(transaction, role)
    if (!given) throw new CommandError(`There is no role ${role}.`)
    if (account.role !== role) await setRole(transaction, account, role, { actorId: null, context })
    return { before: account.role, isUnproven: !account.emailVerified && given.level > account.level }
  })
}

await runCommand(
  async () => {
    const command = parseCommand(process.argv.slice(2))
    await (command.kind === 'role' ? runRole(command) : runImport(command))
  },
  { usage },
)
