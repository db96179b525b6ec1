import { setTimeout as sleep } from 'node:timers/promises'
import { generateSecrets } from '../../dev/secrets.ts'
import { seedPassword } from '../../dev/seed/password.ts'
import { seedUsers } from '../../dev/seed/seed.ts'
import { createDatabase } from '../../origin/db/database.ts'
import type { Sql } from '../../origin/db/types.ts'
import { createTestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { createCapturedLog } from '../support/captured-log.ts'
import { createFullStack } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'
import { type Execution, readExecution } from './plan.ts'

/** As many rows make a table a big one: to read it whole shows. */
const bigRows = 1000

/** The server tells each statement's plan, and what came of it, to the connection that ran it. */
const explainSettings = {
  session_preload_libraries: 'auto_explain',
  client_min_messages: 'log',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_buffers': 'on',
  // To time each node takes longer than most nodes.
  'auto_explain.log_timing': 'off',
  'auto_explain.log_format': 'json',
}

export type SeededFullStack = Awaited<ReturnType<typeof createSeededFullStack>>

/**
 * a full stack on a database with `users` seeded accounts, whose every statement explains itself.
 */
export async function createSeededFullStack(users: number) {
  const database = await createTestDatabase()
  const secrets = await generateSecrets()
  const { password, passwordHash } = await seedPassword({
    digestKey: Buffer.from(secrets.PASSWORD_DIGEST_KEY, 'base64'),
    cost: 10,
  })
  const startedAt = performance.now()
  const sql = createDatabase({
    url: database.url,
    poolMax: 1,
    idleSeconds: 30,
    connectSeconds: 10,
    statementSeconds: 300,
    log: createCapturedLog('seed').log,
  })
  await seedUsers(sql, { users, passwordHash, say: () => {} })
  const seedSeconds = (performance.now() - startedAt) / 1000
  const big = await selectBigRelations(sql)
  for (const [name, value] of Object.entries(explainSettings))
    await sql.unsafe(`alter database "${new URL(database.url).pathname.slice(1)}" set ${name} = '${value}'`)
  await sql.end()

  const fullStack = await createFullStack({
    environment: { ...highLimits, LOG_LEVEL: 'debug' },
    remains: { secrets, databaseUrl: database.url },
  })

  /**
   * Queries of big tables that `work` causes at the origin. Its pollers, which go on meanwhile,
   * query small ones.
   */
  async function executionsOf(work: () => Promise<unknown>): Promise<Execution[]> {
    const from = fullStack.logs.origin.length
    await work()
    // A plan comes when its portal is closed, which may be a moment after the answer.
    await sleep(0)
    return fullStack.logs.origin
      .slice(from)
      .filter(({ msg }) => msg === 'database notice')
      .map(({ message }) => readExecution(String(message), (relation) => big.has(relation)))
      .filter((execution) => execution !== undefined)
      .filter(({ touchesBig }) => touchesBig)
  }

  return {
    ...fullStack,
    fullStack,
    password,
    seedSeconds,
    big,
    executionsOf,
    async close() {
      await fullStack.close()
      await database.drop()
    },
  }
}

/** Partitions count by themselves: to read an empty one whole is the cheapest way to read it. */
async function selectBigRelations(sql: Sql): Promise<ReadonlySet<string>> {
  const rows = await sql<{ relname: string }[]>`
    select relname from pg_class
    where relkind in ('r', 'p', 'm') and relnamespace = 'public'::regnamespace and reltuples >= ${bigRows}`
  return new Set(rows.map(({ relname }) => relname))
}
