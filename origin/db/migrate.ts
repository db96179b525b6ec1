import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Postgrator from 'postgrator'
import { parseDatabaseUrl } from '../../shared/database-url.ts'
import { CommandError, runCommand } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { buildIndexes, hasOneBackend, indexesOf } from './build-indexes.ts'
import { closeSeconds, createDatabase } from './database.ts'
import {
  reasonAgainstSession,
  reasonAgainstSessions,
  renewPooledSessions,
  setRoleSettings,
} from './pooled-sessions.ts'
import { requireReachable } from './require-reachable.ts'
import { requireSuitableServer } from './server.ts'
import type { Queryable, Sql, Transaction } from './types.ts'

/** The schema that this code was written for. */
const ownFolder = fileURLToPath(new URL('../../sql/', import.meta.url))
const schemaTable = 'schema_migrations'

/** An arbitrary advisory lock key. */
const migrationLock = '4148305191'

/** How often a run looks whether another one has ended. */
const lockPollMs = 100

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

/** A migration, by its version. */
type Migrations = Map<number, { codeSince: number; script: string }>

/**
 * Migrates the database to the newest schema in one transaction, after a build of the indexes that
 * the migrations add to tables in use. A second run changes nothing, concurrent runs wait for each
 * other, and a checksum rejects a file that changed after it was applied.
 *
 * @returns the versions applied now, none where the schema was already the newest, or is a newer
 *   one that this code runs on
 * @throws CommandError where the schema is newer and this code does not run on it
 */
export async function migrate(databaseUrl: string, folder = ownFolder): Promise<number[]> {
  const migrations = await readMigrations(folder)
  const sql = createDatabase({ ...bounds, url: databaseUrl })
  // The build of an index waits for transactions, and nothing waits for the build.
  const indexSql = createDatabase({ ...bounds, url: databaseUrl, lockSeconds: bounds.statementSeconds })
  const { isTransactionPooler: isPooled } = parseDatabaseUrl(databaseUrl)
  let hasNewSettings = false
  /** @returns undefined while another run holds the lock */
  const migrateUnlessLocked = () =>
    sql.begin(async (transaction) => {
      if (!(await takeLock(transaction))) return undefined
      const { version, isNewer } = await requireKnownSchema(transaction, newestOf(migrations))
      if (isNewer) return []
      const missing = [...migrations].filter(([candidate]) => candidate > version)
      const indexes = missing.flatMap(([, { script }]) => indexesOf(script))
      if (version > 0 && indexes.length > 0 && !(await hasOneBackend(transaction))) {
        // An extended query keeps its snapshot until the next query, and the build waits for those
        // with a snapshot. A simple query leaves none.
        await transaction.unsafe('select').simple()
        await buildIndexes(indexSql, indexes)
      }
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
          update ${sql(schemaTable)} set code_since = ${migrations.get(version)?.codeSince ?? version} where version = ${version}`
      if (isPooled) hasNewSettings = await setRoleSettings(transaction)
      return applied
    })
  try {
    await requireSuitableServer(sql)
    for (;;) {
      const applied = await migrateUnlessLocked()
      if (applied) {
        // A run that ended before its renewal leaves sessions with the settings from before.
        if (isPooled && (hasNewSettings || (await reasonAgainstSession(sql)) !== undefined))
          await renewPooledSessions(sql)
        return applied
      }
      await sleep(lockPollMs)
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== lockNotAvailable) throw error
    throw new CommandError(
      `Another transaction holds the lock of a table for more than ${lockTimeout}. Nothing was applied: run npm run migrate again`,
      { cause: error },
    )
  } finally {
    await indexSql.end({ timeout: closeSeconds })
    await sql.end({ timeout: closeSeconds })
  }
}

/**
 * Takes the lock of migrations until the transaction ends. A run that waited inside a transaction
 * would be waited for by the index that another one builds.
 */
async function takeLock(transaction: Transaction): Promise<boolean> {
  const [row] = await transaction<[{ taken: boolean }]>`
    select pg_try_advisory_xact_lock(${migrationLock}) as taken,
      set_config('lock_timeout', ${lockTimeout}, true),
      set_config('idle_in_transaction_session_timeout', '0', true)`
  return row.taken
}

/** @throws CommandError where this code does not run on the server or the schema */
export async function requireUsableSchema(sql: Sql, folder = ownFolder): Promise<void> {
  await requireSuitableServer(sql)
  const newest = newestOf(await readMigrations(folder))
  const { version, isNewer } = await requireKnownSchema(sql, newest)
  if (!isNewer && version !== newest)
    throw new CommandError(
      `The database has schema version ${version}, this code needs ${newest}: run npm run migrate`,
    )
  const reason = await reasonAgainstSessions(sql)
  if (reason !== undefined) throw new CommandError(reason)
}

/**
 * The version of the schema. Where it is newer, each of its migrations tolerates code of this age:
 * an older origin may restart during a release or after a rollback.
 *
 * @throws CommandError where it is newer and a migration does not tolerate this code
 */
async function requireKnownSchema(sql: Queryable, newest: number) {
  const { version, codeSince } = await readSchema(sql, newest)
  if (version <= newest) return { version, isNewer: false }
  if (codeSince <= newest) return { version, isNewer: true }
  throw new CommandError(
    `The database has schema version ${version}, which code since schema ${codeSince} runs on; this is of ${newest}: run the code that fits`,
  )
}

async function readMigrations(folder: string): Promise<Migrations> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql'))
  const migrations = files.map(async (name) => {
    const version = Number.parseInt(name, 10)
    const script = await readFile(join(folder, name), 'utf8')
    const [, codeSince] = codeSinceLine.exec(script) ?? []
    return [version, { script, codeSince: codeSince === undefined ? version : Number(codeSince) }] as const
  })
  return new Map(await Promise.all(migrations))
}

const newestOf = (migrations: Migrations) => Math.max(...migrations.keys())

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
