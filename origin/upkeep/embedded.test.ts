import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { servicePoolMax, startEmbeddedPostgres } from '../../dev/embedded-postgres.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { jobs } from '../../test/support/database/upkeep-database.ts'
import { createDatabase } from '../db/database.ts'
import { migrate } from '../db/migrate.ts'
import { createUpkeepRunner } from './runner.ts'

vi.setConfig({ testTimeout: 60_000 })

// `npm start` without a database server: one connection, for requests and upkeep alike.
test('every job runs on the embedded database, with requests between them, over its one connection', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-upkeep-'))
  const database = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  const { log } = createCapturedLog('origin')
  const sql = createDatabase({
    url: database.url,
    poolMax: servicePoolMax,
    idleSeconds: 60,
    connectSeconds: 10,
    statementSeconds: 30,
    log,
  })
  try {
    await migrate(database.url)
    const runner = createUpkeepRunner({ sql, log })
    const runs = jobs.map((job) => runner.run(job, new Date()))
    const requests = jobs.map(
      () => sql`insert into audit_logs (action) values ('a.b') returning tableoid::regclass::text as place`,
    )
    for (const [row] of await Promise.all(requests)) expect(row?.place).toMatch(/^audit_logs_y\d{4}m\d\d$/)
    await Promise.all(runs)
    expect(await sql`select outcome, count(*)::int as runs from upkeep_runs group by outcome`).toEqual([
      { outcome: 'succeeded', runs: jobs.length },
    ])
  } finally {
    await sql.end()
    await database.stop()
    await rm(folder, { recursive: true })
  }
})
