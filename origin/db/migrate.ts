import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Postgrator from 'postgrator'
import { CommandError, runCommand } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { closeSeconds, createDatabase } from './database.ts'
import { requireReachable } from './require-reachable.ts'
import { requireSuitableServer } from './server.ts'
import type { Queryable, Sql } from './types.ts'

/** The schema that this code was written for. */
const ownFolder = fileURLToPath(new URL('../../sql/', import.meta.url))
const schemaTable = 'schema_migrations'

/** Any number that no other program locks. */
const migrationLock = '4148305191'

/**
 * Whoever waits for a table's lock holds up all behind them, the origins that run among them:
 * better to fail and be tried again.
 */
const lockTimeout = '5s'

/** A statement may rewrite a large table. */
const bounds = { poolMax: 1, idleSeconds: 60, connectSeconds: 10, statementSeconds: 3600 }

/** The state of a statement that ran into `lock_timeout`. */
const lockNotAvailable = '55P03'

/**
 * What a migration says that leaves older code running: the schema whose code was the first to get
 * along with this one. Without the line that is its own.
 */
const codeSinceLine = /^-- Code since schema (\d+)\.$/m

/**
 * Brings the database to the newest schema, in one transaction: all of it or nothing. Applying it
 * twice changes nothing, two at once wait for each other, and a file that was changed after it was
 * applied is refused by its checksum.
 *
 * @returns the versions applied now, none where the schema was already the newest, or is a newer
 *   one that this code runs on
 * @throws CommandError where the schema is a newer one that this code does not run on
 */
export async function migrate(databaseUrl: string, folder = ownFolder): Promise<number[]> {
  const migrations = await readMigrations(folder)
  const sql = createDatabase({ ...bounds, url: databaseUrl })
  try {
    await requireSuitableServer(sql)
    return await sql.begin(async (transaction) => {
      await transaction`select pg_advisory_xact_lock(${migrationLock})`
      await transaction`select set_config('lock_timeout', ${lockTimeout}, true)`
      if (await isNewer(transaction, newestOf(migrations))) return []
      const postgrator = new Postgrator({
        driver: 'pg',
        migrationPattern: join(folder, '*.sql'),
        schemaTable,
        validateChecksums: true,
        execQuery: async (query) => ({ rows: await transaction.unsafe(query) }),
        execSqlScript: async (script) => {
          await transaction.unsafe(script).simple()
        },
      })
      const applied = (await postgrator.migrate()).map(({ version }) => version)
      await transaction`alter table ${sql(schemaTable)} add column if not exists code_since integer`
      for (const version of applied)
        await transaction`
          update ${sql(schemaTable)} set code_since = ${migrations.get(version) ?? version} where version = ${version}`
      return applied
    })
  } catch (error) {
    if ((error as { code?: unknown }).code !== lockNotAvailable) throw error
    throw new CommandError(
      `Another transaction holds the lock of a table for more than ${lockTimeout}. Nothing was applied: run npm run migrate again`,
      { cause: error },
    )
  } finally {
    await sql.end({ timeout: closeSeconds })
  }
}

/** @throws CommandError where server, database or schema are not such that this code runs on them */
export async function requireUsableSchema(sql: Sql, folder = ownFolder): Promise<void> {
  await requireSuitableServer(sql)
  const newest = newestOf(await readMigrations(folder))
  if (await isNewer(sql, newest)) return
  const { version } = await readSchema(sql, newest)
  if (version !== newest)
    throw new CommandError(
      `The database has schema version ${version}, this code needs ${newest}: run npm run migrate`,
    )
}

/**
 * Is it a newer schema, each of whose migrations says that code as old as this still runs on it? So
 * an origin of before may start again during a release, or after a rollback.
 *
 * @throws CommandError where it is newer and one of them does not say so
 */
async function isNewer(sql: Queryable, newest: number): Promise<boolean> {
  const { version, codeSince } = await readSchema(sql, newest)
  if (version <= newest) return false
  if (codeSince <= newest) return true
  throw new CommandError(
    `The database has schema version ${version}, which code since schema ${codeSince} runs on; this is of ${newest}: run the code that fits`,
  )
}

/** Since which schema code runs on each migration, by its version. */
async function readMigrations(folder: string): Promise<Map<number, number>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql'))
  const migrations = files.map(async (name): Promise<[number, number]> => {
    const version = Number.parseInt(name, 10)
    const [, codeSince] = codeSinceLine.exec(await readFile(join(folder, name), 'utf8')) ?? []
    return [version, codeSince === undefined ? version : Number(codeSince)]
  })
  return new Map(await Promise.all(migrations))
}

const newestOf = (migrations: Map<number, number>) => Math.max(...migrations.keys())

/**
 * The schema's version, 0 where there is none, and what the migrations after `newest` ask of code.
 */
async function readSchema(sql: Queryable, newest: number): Promise<{ version: number; codeSince: number }> {
  const [table] = await sql<[{ present: boolean }]>`select to_regclass(${schemaTable}) is not null as present`
  if (!table.present) return { version: 0, codeSince: 0 }
  // The column is missing where the last migration is older than it.
  const [row] = await sql<[{ version: number; code_since: number }]>`
    select
      coalesce(max(version), 0)::integer as version,
      coalesce(max(coalesce((to_jsonb(migration) ->> 'code_since')::integer, version)) filter (where version > ${newest}), 0)::integer as code_since
    from ${sql(schemaTable)} migration`
  return { version: row.version, codeSince: row.code_since }
}

if (import.meta.main) {
  await runCommand(async () => {
    const { DATABASE_URL } = configFromEnvironment(['DATABASE_URL'])
    const applied = await requireReachable(() => migrate(DATABASE_URL))
    process.stdout.write(
      applied.length > 0 ? `Applied ${applied.join(', ')}.\n` : 'There is nothing to apply.\n',
    )
  })
}
