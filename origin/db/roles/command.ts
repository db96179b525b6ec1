import { ConfigError } from '../../../shared/config.ts'
import { parseDatabaseUrl } from '../../../shared/database-url.ts'
import { runCommand } from '../../../shared/node/cli.ts'
import { configFromEnvironment } from '../../../shared/node/environment.ts'
import { createLog } from '../../../shared/node/log.ts'
import { closeSeconds, createCommandDatabase } from '../database.ts'
import { requireReachable } from '../require-reachable.ts'
import { createRoles } from './create-roles.ts'

/**
 * `npm run database:roles`: makes the roles of the services, as the user of DATABASE_URL.
 * DATABASE_POOLER is that of the origins.
 */
await runCommand(async () => {
  const config = configFromEnvironment(
    [
      ...(['LOG_LEVEL', 'DATABASE_URL', 'DATABASE_POOLER'] as const),
      ...(['DATABASE_OWNER_USER', 'DATABASE_OWNER_PASSWORD'] as const),
      ...(['DATABASE_ORIGIN_USER', 'DATABASE_ORIGIN_PASSWORD'] as const),
    ],
    function requireThreeUsers({
      DATABASE_URL: url,
      DATABASE_OWNER_USER: owner,
      DATABASE_ORIGIN_USER: origin,
    }) {
      if (new Set([parseDatabaseUrl(url).user, owner, origin]).size < 3)
        throw new ConfigError([
          'DATABASE_OWNER_USER, DATABASE_ORIGIN_USER and the user of DATABASE_URL must differ',
        ])
    },
  )
  const owner = { user: config.DATABASE_OWNER_USER, password: config.DATABASE_OWNER_PASSWORD }
  const origin = { user: config.DATABASE_ORIGIN_USER, password: config.DATABASE_ORIGIN_PASSWORD }
  const sql = createCommandDatabase(config.DATABASE_URL, createLog('database-roles', config.LOG_LEVEL))
  try {
    await requireReachable(() =>
      createRoles(sql, { owner, origin, isPooled: config.DATABASE_POOLER === 'transaction' }),
    )
  } finally {
    await sql.end({ timeout: closeSeconds })
  }
  process.stdout.write(`${owner.user} owns the schema; ${origin.user} reads and writes its rows.\n`)
})
