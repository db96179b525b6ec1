import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { jobs, openUpkeepDatabase, type UpkeepDatabase } from '../../test/support/database/upkeep-database.ts'
import type { Sql } from '../db/types.ts'
import { createUpkeepRunner } from './runner.ts'
import { startUpkeepScheduler } from './scheduler.ts'

let db: UpkeepDatabase
beforeAll(async () => {
  db = await openUpkeepDatabase()
})
afterAll(() => db.close())
let pools: Sql[]
beforeEach(async () => {
  await db.sql`truncate upkeep_runs`
  // The driver connects by a timer, so connections are made before time stands still. The database
  // keeps its own.
  pools = [db.connect(1), db.connect(1)]
  for (const pool of pools) await pool`select 1`
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: new Date('2026-03-01T03:09:30Z') })
})
afterEach(() => {
  vi.useRealTimers()
})

async function startReplica(sql: Sql) {
  const runner = createUpkeepRunner({ sql, log: db.log })
  const scheduler = await startUpkeepScheduler({ sql, jobs, runner, log: db.log })
  return { scheduler, runner }
}

async function pass(seconds: number) {
  await vi.advanceTimersByTimeAsync(seconds * 1000)
}

const slots = () => db.sql<{ job: string; slot: Date; outcome: string | null }[]>`
  select job, slot, outcome from upkeep_runs order by id`

/** Real time: as many rounds of the event loop as the database takes. */
async function until(count: number) {
  for (;;) {
    const rows = await slots()
    if (rows.filter(({ outcome }) => outcome === 'succeeded').length >= count) return rows
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('timers', () => {
  test('of two replicas run each job once in its minute of UTC, and none after the stop', async () => {
    const replicas = await Promise.all(pools.map(startReplica))
    await pass(25)
    expect(await slots()).toEqual([])
    await pass(10)
    await until(1)
    await pass(120)
    const rows = await until(2)
    expect(rows.map(({ job, slot }) => [job, slot.toISOString()])).toEqual([
      ['refresh_views', '2026-03-01T03:10:00.000Z'],
      ['login_attempts', '2026-03-01T03:12:00.000Z'],
    ])
    for (const { scheduler, runner } of replicas) {
      scheduler.stop()
      await Promise.all([runner.stop(1), pass(1)])
    }
    await pass(3600)
    expect(await slots()).toHaveLength(2)
  })
})
