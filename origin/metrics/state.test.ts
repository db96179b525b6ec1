import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createClock } from '../../test/support/clock.ts'
import { metricValues } from '../../test/support/metric-values.ts'
import type { SharedState } from './queries.ts'
import { createStateMetrics } from './state.ts'

const state: SharedState = {
  lockedOutAddresses: 3,
  unverifiedAccounts: 6,
  mails: { waiting: 2, givenUp: 1, oldestAge: 40 },
  resetRequests: { waiting: 0, oldestAge: 0 },
  revocations: { unpublished: 4, oldestAge: 2 },
  keys: [{ state: 'signing', count: 1, age: 86_400 }],
  upkeep: [
    { job: 'refresh_views', sinceSuccess: 120 },
    { job: 'audit_logs', sinceSuccess: null },
  ],
}

const { log, lines } = createCapturedLog('origin')
const isDown = () => lines.some(({ msg }) => msg === 'state for the metrics not read')

function create(
  readShared: () => Promise<SharedState>,
  isRedisUp?: () => boolean,
  askDatabase = async () => ({ readOnly: false }),
) {
  const registry = new Registry()
  const clock = createClock()
  createStateMetrics({
    registry,
    poolLoad: () => ({ max: 10, inUse: 7, waiting: 1 }),
    passwordQueues: () => ({ hash: { length: 5, limit: 64 }, strength: { length: 2, limit: 32 } }),
    isRedisUp,
    askDatabase,
    readShared,
    log,
    now: clock.now,
  })
  return { clock, read: () => metricValues(registry) }
}

test('the database is queried once in 5 s, however many scrape', async () => {
  let reads = 0
  const { clock, read } = create(async () => {
    reads++
    return state
  })
  await Promise.all([read(), read()])
  clock.advance(4.9)
  await read()
  expect(reads).toBe(1)
  clock.advance(0.1)
  await read()
  expect(reads).toBe(2)
})

test('each metric has its name', async () => {
  const { value, series } = await create(
    async () => state,
    () => false,
  ).read()
  const origin = (name: string, labels = {}) => value(`gatehouse_origin_${name}`, labels)
  expect(origin('database_connections_in_use')).toBe(7)
  expect(origin('database_waiting')).toBe(1)
  expect(origin('password_queue_length', { pool: 'hash' })).toBe(5)
  expect(origin('password_queue_length', { pool: 'strength' })).toBe(2)
  expect(origin('password_queue_limit', { pool: 'strength' })).toBe(32)
  expect(origin('locked_accounts')).toBe(3)
  expect(origin('mails_waiting')).toBe(2)
  expect(origin('mails_given_up')).toBe(1)
  expect(origin('oldest_mail_age_seconds')).toBe(40)
  expect(origin('redis_up')).toBe(0)
  expect(origin('oldest_unpublished_revocation_age_seconds')).toBe(2)
  expect(origin('signing_key_age_seconds', { state: 'signing' })).toBe(86_400)
  expect(series('gatehouse_origin_upkeep_success_age_seconds')).toEqual([
    expect.objectContaining({ labels: { task: 'refresh_views' }, value: 120 }),
  ])
})

describe('while the database is unavailable', () => {
  test('database metrics are absent, process metrics are present, and the log has the reason', async () => {
    let isLost = false
    const ask = async <Answer>(answer: Answer) => {
      if (isLost) throw new Error('gone')
      return answer
    }
    const { clock, read } = create(
      () => ask(state),
      undefined,
      () => ask({ readOnly: false }),
    )
    await read()
    isLost = true
    clock.advance(5)
    const { value, series } = await read()
    expect(value('gatehouse_origin_database_up')).toBe(0)
    expect(value('gatehouse_origin_database_read_only')).toBeNaN()
    expect(value('gatehouse_origin_locked_accounts')).toBeNaN()
    expect(series('gatehouse_origin_signing_keys')).toEqual([])
    expect(value('gatehouse_origin_database_connections_max')).toBe(10)
    expect(isDown()).toBe(true)
  })
})

test('without Redis nothing is published, so nothing is said of it', async () => {
  const { names } = await create(async () => state).read()
  expect(names.filter((name) => /redis|unpublished/.test(name))).toEqual([])
})
