import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import { inject } from 'vitest'
import { databaseUrl } from './database-url.ts'

export interface TestDatabase {
  url: string
  /** Ends open connections. */
  drop(): Promise<void>
}

/** Makes a database with the newest schema and no rows, for one test file or one test alone. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const template = inject('templateDatabase')
  const name = `${template}_${randomBytes(6).toString('hex')}`
  await onServer((sql) => sql`create database ${sql(name)} template ${sql(template)}`)
  return {
    url: databaseUrl(inject('postgresUrl'), name),
    drop: () => onServer((sql) => sql`drop database ${sql(name)} with (force)`),
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
