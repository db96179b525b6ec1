import postgres from 'postgres'
import { vi } from 'vitest'
import { directUrl } from '../../../tools/servers/postgres/test-database.ts'
import type { FullStack } from './full-stack.ts'

interface Race<T> {
  /** A statement that locks what the requests will want. */
  at: string
  /** Called once the lock is held. */
  requests: () => Promise<T>[]
  /** How many of them can wait at once; no more than the pool has connections. */
  waiting: number
  /** Called when that many wait, with their backends' process ids, while the lock is still held. */
  whileWaiting?: (pids: number[]) => Promise<unknown>
}

/** Has requests meet inside the database, so that a race is one each time and not by luck. */
export async function forceRace<T>(
  fullStack: FullStack,
  { at, requests, waiting, whileWaiting }: Race<T>,
): Promise<T[]> {
  const blocker = postgres(directUrl(fullStack.originConfig.DATABASE_URL), { max: 1 })
  try {
    await blocker`begin`
    await blocker.unsafe(at)
    const sent = requests()
    let pids: number[] = []
    while (pids.length < waiting) {
      const rows = await blocker<{ pid: number }[]>`
        select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
      pids = rows.map(({ pid }) => pid)
      await blocker`select pg_stat_clear_snapshot(), pg_sleep(0.005)`
    }
    await whileWaiting?.(pids)
    await blocker`rollback`
    return await Promise.all(sent)
  } finally {
    await blocker.end({ timeout: 1 })
  }
}

/** Resolves when a request waits for a lock, so that the next one comes after it. */
export async function untilOneWaits({ sql }: FullStack): Promise<void> {
  const look = async () => {
    const [row] = await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    if (!row) throw new Error('nothing waits for a lock')
  }
  await vi.waitFor(look, { interval: 5, timeout: 10_000 })
}
