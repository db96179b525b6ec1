import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import type { TestProject } from 'vitest/node'
import { migrate } from '../../origin/db/migrate.ts'
import { databaseUrl } from './postgres/database-url.ts'
import { startPgBouncer } from './postgres/pgbouncer.ts'
import { type RunningServer, startPostgres } from './postgres/postgres.ts'
import { startRedis } from './redis/redis.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /**
     * The maintenance database of the tests' server. A test writes to a database of
     * `createTestDatabase`.
     */
    postgresUrl: string
    /**
     * A database with the newest schema and no rows: the template and name prefix of test
     * databases.
     */
    templateDatabase: string
    /** PgBouncer before that server in a run with `TEST_POOLER=transaction`, else empty. */
    poolerUrl: string
    redisUrl: string
  }
}

/** Runs once, before all test files: starts the servers and provides their URLs. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgresServer = startPostgres()
  const starting = [startPooler(postgresServer), startRedis(), postgresServer] as const
  try {
    const [{ url: poolerUrl }, { url: redisUrl }, { url: postgresUrl }] = await Promise.all(starting)
    const templateDatabase = `gatehouse_${randomBytes(4).toString('hex')}`
    await createTemplate(postgresUrl, templateDatabase)
    project.provide('postgresUrl', postgresUrl)
    project.provide('templateDatabase', templateDatabase)
    project.provide('poolerUrl', poolerUrl)
    project.provide('redisUrl', redisUrl)
    return async () => {
      await dropDatabases(postgresUrl, templateDatabase)
      await stopAll(starting)
    }
  } catch (error) {
    await stopAll(starting)
    throw error
  }
}

/** PgBouncer's default: races in tests have up to as many statements wait for one lock. */
const poolerConnections = 20

/** @returns the pooler that `TEST_POOLER` names; without one a URL that is empty */
async function startPooler(server: Promise<RunningServer>): Promise<RunningServer> {
  const mode = process.env.TEST_POOLER ?? ''
  if (mode === '') return { url: '', stop: async () => {} }
  if (mode !== 'transaction') throw new Error('TEST_POOLER must be transaction, or not be set')
  return startPgBouncer((await server).url, poolerConnections)
}

async function stopAll(starting: readonly Promise<RunningServer>[]): Promise<void> {
  for (const start of await Promise.allSettled(starting)) {
    if (start.status === 'fulfilled') await start.value.stop()
  }
}

/** Disallows connections to the template: PostgreSQL copies no database that has any. */
async function createTemplate(postgresUrl: string, name: string): Promise<void> {
  const sql = postgres(postgresUrl, { max: 1 })
  try {
    await sql`create database ${sql(name)}`
    await migrate(databaseUrl(postgresUrl, name))
    await sql`alter database ${sql(name)} allow_connections false`
  } finally {
    await sql.end()
  }
}

/**
 * Drops the databases of this run, also those of aborted test files, on a server that keeps
 * running.
 */
async function dropDatabases(postgresUrl: string, template: string): Promise<void> {
  const sql = postgres(postgresUrl, { max: 1 })
  try {
    const databases = await sql<{ datname: string }[]>`
      select datname from pg_database where starts_with(datname, ${template})`
    for (const { datname } of databases) await sql`drop database ${sql(datname)} with (force)`
  } finally {
    await sql.end()
  }
}
