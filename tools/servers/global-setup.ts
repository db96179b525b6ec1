import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import type { TestProject } from 'vitest/node'
import { migrate } from '../../origin/db/migrate.ts'
import { databaseUrl } from './postgres/database-url.ts'
import { type RunningServer, startPostgres } from './postgres/postgres.ts'
import { startRedis } from './redis/redis.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /**
     * The maintenance database of the tests' server; what a test writes goes into a
     * `createTestDatabase`.
     */
    postgresUrl: string
    /**
     * A database with the newest schema and no rows. Those of the tests are made from it, and named
     * after it.
     */
    templateDatabase: string
    redisUrl: string
  }
}

/**
 * Runs once, before all test files: starts the servers, and gives the files what to find them by.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const starting = [startPostgres(), startRedis()] as const
  try {
    const [{ url: postgresUrl }, { url: redisUrl }] = await Promise.all(starting)
    const templateDatabase = `gatehouse_${randomBytes(4).toString('hex')}`
    await createTemplate(postgresUrl, templateDatabase)
    project.provide('postgresUrl', postgresUrl)
    project.provide('templateDatabase', templateDatabase)
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

async function stopAll(starting: readonly Promise<RunningServer>[]): Promise<void> {
  for (const start of await Promise.allSettled(starting)) {
    if (start.status === 'fulfilled') await start.value.stop()
  }
}

/** Nobody may connect to the template, as a database cannot be made from one with connections. */
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
 * On a server that outlives us, nothing of ours is left, not even of a test file that was cut
 * short.
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
