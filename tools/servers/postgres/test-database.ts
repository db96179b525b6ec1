import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import { inject } from 'vitest'
import { setRoleSettings } from '../../../origin/db/pooled-sessions.ts'
import { behindTransactionPooler } from '../../../shared/database-url.ts'
import { databaseUrl } from './database-url.ts'

export interface TestDatabase {
  /** As a service takes it: through the pooler where the run has one. */
  url: string
  /** Ends open connections. */
  drop(): Promise<void>
}

/** Makes a database with the newest schema and no rows, for one test file or one test alone. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const template = inject('templateDatabase')
  const name = `${template}_${randomBytes(6).toString('hex')}`
  await onServer((sql) => sql`create database ${sql(name)} template ${sql(template)}`)
  if (inject('poolerUrl')) await applyRoleSettings(name)
  return {
    url: serviceUrl(name),
    drop: () => onServer((sql) => sql`drop database ${sql(name)} with (force)`),
  }
}

/** A database of the tests' server as a service takes it, through the pooler if the run has one. */
export function serviceUrl(name: string): string {
  const poolerUrl = inject('poolerUrl')
  if (!poolerUrl) return databaseUrl(inject('postgresUrl'), name)
  return behindTransactionPooler(databaseUrl(poolerUrl, name))
}

/**
 * The same database past the pooler, for sessions of the test itself: locks, settings and
 * notifications belong to a session.
 *
 * @param url of `createTestDatabase` or `serviceUrl`
 */
export function directUrl(url: string): string {
  if (!inject('poolerUrl')) return url
  return databaseUrl(inject('postgresUrl'), new URL(url).pathname.slice(1))
}

/** A copied database has the template's schema, and not the settings of roles in it. */
async function applyRoleSettings(name: string): Promise<void> {
  const sql = postgres(databaseUrl(inject('postgresUrl'), name), { max: 1 })
  try {
    await setRoleSettings(sql)
  } finally {
    await sql.end()
  }
}

async function onServer(action: (sql: Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(inject('postgresUrl'), { max: 1 })
  try {
    await action(sql)
  } finally {
    await sql.end()
  }
}
