import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Postgrator from 'postgrator'
import { parseDatabaseUrl } from '../../shared/database-url.ts'
import { CommandError, runCommand } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { closeSeconds, createDatabase } from './database.ts'
import { requireReachable } from './require-reachable.ts'
import { requireSuitableServer } from './server.ts'
import { setRoleSettings } from './session-settings.ts'
import type { Queryable, Sql } from './types.ts'

/** The schema that this code was written for. */
const ownFolder = fileURLToPath(new URL('../../sql/', import.meta.url))
const schemaTable = 'schema_migrations'

/** An arbitrary advisory lock key. */
const migrationLock = '4148305191'

/**
 * A migration that waits for a table's lock blocks every query behind it, those of running origins
 * included: it fails instead and is run again.
 */
const lockTimeout = '5s'

/** A statement may rewrite a large table. */
const bounds = { poolMax: 1, idleSeconds: 60, connectSeconds: 10, statementSeconds: 3600 }

/** SQLSTATE of a statement that exceeded `lock_timeout`. */
const lockNotAvailable = '55P03'

/**
 * A migration that older code tolerates names the oldest schema version whose code runs on it.
 * Without the line that is its own version.
 */
const codeSinceLine = /^-- Code since schema (\d+)\.$/m

/**
 * Migrates the database to the newest schema in one transaction. A second run changes nothing,
 * concurrent runs wait for each other, and a checksum rejects a file that changed after it was
 * applied.
 *
 * @returns the versions applied now, none where the schema was already the newest, or is a newer
 *   one that this code runs on
 * @throws CommandError where the schema is newer and this code does not run on it
 */
export async function migrate(databaseUrl: string, folder = ownFolder): Promise<number[]> {
  const migrations = await readMigrations(folder)
  const sql = createDatabase({ ...bounds, url: databaseUrl })
  const { isTransactionPooler: isPooled } = parseDatabaseUrl(databaseUrl)
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
      if (isPooled) await setRoleSettings(transaction)
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

/** @throws CommandError where this code does not run on the server or the schema */
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
 * Whether the schema is newer and each of its migrations tolerates code of this age. An older
 * origin may then restart during a release or after a rollback.
 *
 * @throws CommandError where it is newer and a migration does not tolerate this code
 */
async function isNewer(sql: Queryable, newest: number): Promise<boolean> {
  const { version, codeSince } = await readSchema(sql, newest)
  if (version <= newest) return false
  if (codeSince <= newest) return true
  throw new CommandError(
    `The database has schema version ${version}, which code since schema ${codeSince} runs on; this is of ${newest}: run the code that fits`,
  )
}

/** The oldest schema whose code runs on each migration, by version. */
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
 * The version of the schema, 0 where there is none, and the oldest code that the migrations after
 * `newest` tolerate.
 */
async function readSchema(sql: Queryable, newest: number): Promise<{ version: number; codeSince: number }> {
  const [table] = await sql<[{ present: boolean }]>`select to_regclass(${schemaTable}) is not null as present`
  if (!table.present) return { version: 0, codeSince: 0 }
  // The column is missing where the last migration predates it.
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
