import { findByName } from '../../origin/catalogue/catalogue.ts'
import { selectCatalogue } from '../../origin/catalogue/queries.ts'
import { loadCatalogue } from '../../origin/catalogue-command/load.ts'
import { withDatabase } from '../../origin/db/command-database.ts'
import { createDatabase } from '../../origin/db/database.ts'
import type { Sql } from '../../origin/db/types.ts'
import { CommandError, runCommand } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { createLog } from '../../shared/node/log.ts'
import { demoAccounts } from '../demo.ts'
import { exampleCatalogue } from './catalogue.ts'
import { parseCommandLine, usage } from './command-line.ts'
import { seedPassword } from './password.ts'
import { seedDomain, selectForeignAccount } from './queries.ts'
import { seedUsers } from './seed.ts'

/** A batch of an embedded Postgres, or the views of millions, take longer than a request may. */
const statementSeconds = 1800

const say = (line: string) => process.stdout.write(`${line}\n`)

async function run({ users, force }: ReturnType<typeof parseCommandLine>): Promise<void> {
  const config = configFromEnvironment([
    'NODE_ENV',
    'LOG_LEVEL',
    'DATABASE_URL',
    'DATABASE_CONNECT_SECONDS',
    'PASSWORD_DIGEST_KEY',
    'PASSWORD_HASH_COST',
  ])
  if (config.NODE_ENV === 'production')
    throw new CommandError('Seeded accounts share one password: production gets none.')
  const sql = createDatabase({
    url: config.DATABASE_URL,
    poolMax: 1,
    idleSeconds: 30,
    connectSeconds: config.DATABASE_CONNECT_SECONDS,
    statementSeconds,
    log: createLog('seed', config.LOG_LEVEL),
  })
  await withDatabase(sql, async () => {
    await requireExampleCatalogue(sql)
    if (!force) await requireNoForeignAccount(sql)
    const startedAt = performance.now()
    const { password, passwordHash } = await seedPassword({
      digestKey: config.PASSWORD_DIGEST_KEY,
      cost: config.PASSWORD_HASH_COST,
    })
    const added = await seedUsers(sql, { users, passwordHash, say })
    say(`Added ${added} accounts in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`)
    say(`u1@${seedDomain} to u${users}@${seedDomain} log in with ${password}`)
  })
}

/** Accounts are spread over the roles and plans of the example. */
async function requireExampleCatalogue(sql: Sql): Promise<void> {
  const { roles, plans } = await loadCatalogue(exampleCatalogue)
  const found = await selectCatalogue(sql)
  const missing = [
    ...roles.filter(({ name }) => !findByName(found.roles, name)),
    ...plans.filter(({ name }) => !findByName(found.plans, name)),
  ].map(({ name }) => name)
  if (missing.length > 0)
    throw new CommandError(
      `The database lacks ${missing.join(', ')}: the seed needs the roles and plans of examples/catalogue.yaml.`,
    )
}

async function requireNoForeignAccount(sql: Sql): Promise<void> {
  const email = await selectForeignAccount(
    sql,
    demoAccounts.map((account) => account.email),
  )
  if (email !== undefined)
    throw new CommandError(
      `The database has accounts that are neither seeded nor demo ones, ${email} for one: is it the right one? Then --force.`,
    )
}

await runCommand(async () => run(parseCommandLine(process.argv.slice(2))), { usage })
