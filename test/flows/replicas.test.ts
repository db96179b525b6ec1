import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import { migrate } from '../../origin/db/migrate.ts'
import { createUpkeepRunner } from '../../origin/upkeep/runner.ts'
import {
  createTestDatabase,
  serviceUrl,
  type TestDatabase,
} from '../../tools/servers/postgres/test-database.ts'
import { redisForFile } from '../../tools/servers/redis/test-redis.ts'
import { jobs, openUpkeepDatabase, type UpkeepDatabase } from '../support/database/upkeep-database.ts'
import { createFullStack, type FullStack } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'

const five = Array.from({ length: 5 }, (_, index) => index)

describe('four origins on an empty database', () => {
  let server: Sql
  let name: string
  beforeAll(async () => {
    server = postgres(inject('postgresUrl'), { max: 1 })
    name = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`
    await server`create database ${server(name)}`
  })
  afterAll(async () => {
    await server`drop database ${server(name)} with (force)`
    await server.end()
  })

  test('migrate and start at once: each migration is applied once, there is one signing key, and all serve', async () => {
    const remains = { secrets: await generateSecrets(), databaseUrl: serviceUrl(name) }
    const applied: number[][] = []
    const stacks = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        applied.push(await migrate(remains.databaseUrl))
        return createFullStack({ environment: highLimits, remains })
      }),
    )
    try {
      expect(applied.filter((versions) => versions.length > 0)).toHaveLength(1)
      const [stack] = stacks as [FullStack]
      const versions = await stack.sql<{ version: number }[]>`
        select version::int as version from schema_migrations where version > 0 order by version`
      expect(versions.map(({ version }) => version)).toEqual(applied.flat())
      expect(await stack.sql`select from signing_keys`).toHaveLength(1)
      for (const [index, one] of stacks.entries())
        expect((await one.signUp(`user${index}@example.com`)).tokens.access_token).toBeTruthy()
    } finally {
      for (const stack of stacks) await stack.close()
    }
  }, 60_000)
})

describe('five origins on one database and one Redis', () => {
  let database: TestDatabase
  let redis: Redis
  let stacks: FullStack[]
  beforeAll(async () => {
    database = await createTestDatabase()
    const redisUrl = await redisForFile()
    redis = new Redis(redisUrl)
    const remains = { secrets: await generateSecrets(), databaseUrl: database.url }
    const environment = { ...highLimits, REDIS_URL: redisUrl, DATABASE_POOL_MAX: '4' }
    stacks = await Promise.all(five.map(() => createFullStack({ environment, remains })))
  })
  afterAll(async () => {
    for (const stack of stacks) await stack.close()
    redis.disconnect()
    await database.drop()
  })
  const at = (index: number) => stacks[index % stacks.length] as FullStack

  test('each mail is sent once', async () => {
    const emails = Array.from({ length: 10 }, (_, index) => `mail${index}@example.com`)
    await Promise.all(emails.map((email, index) => at(index).signUp(email)))
    await vi.waitFor(
      async () => {
        const left = await at(0).sql`select from mail_outbox union all select from verification_requests`
        expect(left).toHaveLength(0)
      },
      { timeout: 10_000 },
    )
    const sent = stacks.flatMap(({ logs }) =>
      logs.origin.filter(({ msg }) => msg === 'mail').map(({ to }) => to),
    )
    expect(sent.sort()).toEqual(emails.sort())
  }, 60_000)

  test('a revocation is in the stream at least once and at most twice, and marked as published', async () => {
    const users = await Promise.all(five.map((index) => at(index).signUp(`out${index}@example.com`)))
    await Promise.all(
      users.map(({ tokens }, index) =>
        at(index + 1).post('/auth/logout', { refresh_token: tokens.refresh_token }),
      ),
    )
    await vi.waitFor(
      async () => {
        expect(await at(0).sql`select from revocations where published_at is null`).toHaveLength(0)
      },
      { timeout: 10_000 },
    )
    const rows = await at(0).sql<{ subject: string }[]>`select subject from revocations`
    const entries = (await redis.xrange('gatehouse:revocations', '-', '+')).map(([, fields]) =>
      fields.join(' '),
    )
    expect(rows).toHaveLength(5)
    for (const { subject } of rows) {
      const times = entries.filter((entry) => entry.includes(subject)).length
      expect(times).toBeGreaterThanOrEqual(1)
      expect(times).toBeLessThanOrEqual(2)
    }
  })
})

describe('upkeep of five origins', () => {
  let db: UpkeepDatabase
  beforeAll(async () => {
    db = await openUpkeepDatabase()
  })
  afterAll(() => db.close())

  test('a slot of each job is run once', async () => {
    const slot = new Date(Date.UTC(2026, 0, 1))
    const runners = five.map(() => createUpkeepRunner({ sql: db.connect(1), log: db.log }))
    await Promise.all(runners.flatMap((runner) => jobs.map((job) => runner.run(job, slot))))
    const runs = await db.sql`select job, outcome from upkeep_runs order by job`
    expect(runs).toEqual(
      jobs.map(({ name }) => ({ job: name, outcome: 'succeeded' })).sort((a, b) => (a.job < b.job ? -1 : 1)),
    )
    expect(db.lines.filter(({ msg }) => msg === 'upkeep done')).toHaveLength(jobs.length)
  })
})
