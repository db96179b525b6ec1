import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import Postgrator from 'postgrator'
import postgres from 'postgres'
import { configFromEnvironment } from '../shared/node/environment.ts'
import { runCommand } from './command.ts'
import { closeSeconds, type Sql } from './database.ts'
import { surviveLostConnections } from './transactions.ts'

const folder = new URL('../sql/', import.meta.url)
const schemaTable = 'schema_migrations'

/** Any number that no other program locks. */
const migrationLock = '4148305191'

/**
 * Brings the database to the newest schema, in one transaction: all of it or nothing. Applying it twice changes nothing, two
 * at once wait for each other, and a file that was changed after it was applied is refused by its checksum.
 *
 * @returns the versions applied now, none where the schema was already the newest
 */
export async function migrate(databaseUrl: string): Promise<number[]> {
  const sql = surviveLostConnections(postgres(databaseUrl, { max: 1, onnotice: () => {} }))
  try {
    const applied = await sql.begin(async (transaction) => {
      await transaction`select pg_advisory_xact_lock(${migrationLock})`
      const postgrator = new Postgrator({
        driver: 'pg',
        migrationPattern: `${fileURLToPath(folder)}*.sql`,
        schemaTable,
        validateChecksums: true,
        execQuery: async (query) => ({ rows: await transaction.unsafe(query) }),
        execSqlScript: async (script) => {
          await transaction.unsafe(script).simple()
        },
      })
      return postgrator.migrate()
    })
    return applied.map(({ version }) => version)
  } finally {
    await sql.end({ timeout: closeSeconds })
  }
}

/** @throws Error where the database's schema is not the one this code was written for */
export async function requireNewestSchema(sql: Sql): Promise<void> {
  const newest = Math.max(
    ...(await readdir(folder))
      .filter((name) => name.endsWith('.sql'))
      .map((name) => Number.parseInt(name, 10)),
  )
  const [table] = await sql<[{ present: boolean }]>`select to_regclass(${schemaTable}) is not null as present`
  const [row] = table.present
    ? await sql<[{ version: string }]>`select max(version) as version from ${sql(schemaTable)}`
    : [{ version: '0' }]
  if (Number(row.version) !== newest) {
    throw new Error(
      `The database has schema version ${row.version}, this code needs ${newest}: run npm run migrate, or the code that fits`,
    )
  }
}

if (import.meta.main) {
  await runCommand(async () => {
    const applied = await migrate(configFromEnvironment(['DATABASE_URL']).DATABASE_URL)
    process.stdout.write(
      applied.length > 0 ? `Applied ${applied.join(', ')}.\n` : 'The schema is already the newest.\n',
    )
  })
}
