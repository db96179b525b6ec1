import { describe, expect, test } from 'vitest'
import { mix } from '../../k6/client/mix.ts'
import { type CellLimits, habits, loadOf } from './load-model.ts'
import type { UnitCosts } from './unit-costs.ts'

const writes = { commits: 1, walBytes: 1000, walBytesCompressed: 10_000 }
const costs: UnitCosts = {
  gateway: { requestUs: 60, hotRequestUs: 40, restBytes: 200e6, userBytes: 1000, revocationBytes: 100 },
  redis: { requestUs: 6, roundTripsPerRequest: 0.1, counterBytes: 100, streamEntryBytes: 10, keyBytes: 50 },
  origin: { profileUs: 300, refreshUs: 600, loginUs: 300_000 },
  postgres: { refreshUs: 600, profileUs: 60, loginUs: 6000 },
  statements: { profile: 1, refresh: 1, login: 10 },
  writes: { refresh: writes, login: { ...writes, commits: 3 }, logout: writes },
  rowBytes: { token: 100, session: 100, attempt: 100, audit: 100, account: 1000 },
}
const vast: CellLimits = { postgresCores: 1e9, storedBytes: 1e18, walBytesPerSecond: 1e18, users: 1e12 }

/** Of 2,880,000 at work: 100 logins and 3,200 refreshes a second. */
const people = { users: 2_880_000, atWork: 1 }
const load = loadOf(people, costs, vast)

describe('from people to load', () => {
  test('requests, refreshes and logins follow from the habits of the load tests', () => {
    expect(load.requestsPerSecond).toBe(288_000)
    expect(load.refreshesPerSecond).toBe(3200)
    expect(load.loginsPerSecond).toBe(100)
    expect(mix.me / 10_000).toBe(habits.profileShare)
    expect(mix.refresh).toBe(Math.round((10_000 * habits.secondsPerRequest) / habits.secondsPerRefresh))
    expect(mix.login).toBe(Math.round((10_000 * habits.secondsPerRequest) / habits.secondsPerLogin))
  })

  test('processors are planned to be busy 60 %', () => {
    expect(load.gateways).toBe(29)
    expect(load.redisServers).toBe(3)
    expect(load.hashingCores).toBeCloseTo(50, 9)
    expect(load.refreshCores).toBeCloseTo(3.2, 9)
    expect(load.profileCores).toBeCloseTo(7.2, 9)
    expect(load.postgresCores).toBeCloseTo((14_400 * 60 + 3200 * 600 + 100 * 6000) / 1e6 / 0.6, 9)
  })

  test('a few people still get three gateways and two origins', () => {
    expect(loadOf({ users: 100, atWork: 1 }, costs, vast)).toMatchObject({ gateways: 3, origins: 2 })
  })

  test('statements, commits and WAL are sums over what is done', () => {
    expect(load.statementsPerSecond).toBe(14_400 + 3200 + 1000)
    expect(load.commitsPerSecond).toBe(3200 + 300 + 100)
    expect(load.walBytesPerSecond).toEqual({ least: 3_400_000, most: 34_000_000 })
  })

  test('Redis holds a counter of each, revocations in force and the stream', () => {
    expect(load.redisBytes).toBe(2_880_000 * 100 + 100 * 960 * 50 + 100 * 7200 * 10)
  })

  test('every gateway reads all of the revocation stream', () => {
    expect(load.streamBytesPerSecond).toBe(29 * 100 * 10)
  })

  test('a gateway holds the tokens that it remembers, and every revocation', () => {
    expect(load.gatewayBytes).toBe(200e6 + 200_000 * 1000 + 100 * 960 * 100)
  })

  test('accounts whose owners are not at work cause no load', () => {
    const tenth = loadOf({ users: 28_800_000, atWork: 0.1 }, costs, vast)
    expect(tenth.requestsPerSecond).toBeCloseTo(load.requestsPerSecond, 6)
    expect(tenth.storedBytes - load.storedBytes).toBeCloseTo(25_920_000 * 1000, 0)
  })
})

describe('cells', () => {
  test('one, where one PostgreSQL is enough', () => {
    expect(load).toMatchObject({ cells: 1, boundBy: [] })
  })

  test.each<[keyof CellLimits, number]>([
    ['postgresCores', 2],
    ['storedBytes', 60e9],
    ['walBytesPerSecond', 12e6],
    ['users', 1e6],
  ])('as many as the tightest limit needs, which is named: %s', (name, limit) => {
    const { cells, boundBy } = loadOf(people, costs, { ...vast, [name]: limit })
    expect(cells).toBeGreaterThan(1)
    expect(boundBy).toEqual([name])
  })

  test('grow with the people', () => {
    const limits = { ...vast, users: 1e6 }
    const cellsOf = (users: number) => loadOf({ users, atWork: 1 }, costs, limits).cells
    expect([1e6, 1e6 + 1, 1e7].map(cellsOf)).toEqual([1, 2, 10])
  })
})
