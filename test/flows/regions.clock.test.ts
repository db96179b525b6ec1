import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { highLimits } from '../support/high-limits.ts'
import { type Regions, startRegions } from '../support/regions/regions.ts'
import { parseList } from '../support/structured-fields.ts'

/** Between a remote region and the home region. */
const roundTripMs = 150

/** Anonymous requests of one address, in each region. */
const addressQuota = 20

let database: TestDatabase
let regions: Regions
beforeAll(async () => {
  database = await createTestDatabase()
  regions = await startRegions({
    databaseUrl: database.url,
    roundTripMs,
    environment: {
      ...highLimits,
      GATEWAY_REPLICAS: '2',
      LIMIT_ADDRESS_REQUESTS: `${addressQuota}`,
      LIMIT_CREDENTIALS_TRIES: '5',
      LIMIT_FAILURES: '10',
    },
  })
}, 120_000)
afterAll(async () => {
  await regions?.stop()
  await database.drop()
})
afterEach(() => {
  for (const region of [regions.stream, regions.feed]) region.restore()
})

const everywhere = () => [regions.home, regions.stream, regions.feed]

let people = 0
const newEmail = () => `person-${people++}@example.com`

/** Signs a person up at home and uses the service of each region. */
async function signUpEverywhere() {
  const tokens = await regions.home.signUp(newEmail())
  for (const region of everywhere()) expect(await region.useService(tokens)).toBe('200')
  return tokens
}

/** Milliseconds from the start of a logout at home until each region refuses the token. */
async function timesToLogout() {
  const tokens = await signUpEverywhere()
  const startedAt = performance.now()
  const [home, stream, feed, logout] = await Promise.all([
    ...everywhere().map((region) => region.timeUntil('401 session_ended', tokens, startedAt)),
    regions.home.logout(tokens),
  ])
  expect((logout as Response).status).toBe(204)
  return { home, stream, feed } as { home: number; stream: number; feed: number }
}

let addresses = 0
const newAddress = () => `198.51.100.${10 + addresses++}`

/** Requests of a new address that each region serves, one after the other. */
async function grantedEverywhere() {
  const address = newAddress()
  const granted = everywhere().map(async (region) => {
    const statuses: number[] = []
    for (let sent = 0; sent < addressQuota + 5; sent++)
      statuses.push((await region.call('/v1/plans', { address })).status)
    return statuses.filter((status) => status === 200).length
  })
  return Promise.all(granted)
}

/** The quota that each region holds a new address to. */
async function quotasEverywhere() {
  const address = newAddress()
  const quotas = everywhere().map(async (region) => {
    const response = await region.call('/v1/plans', { address })
    return parseList(response.headers.get('ratelimit-policy'))[0]?.parameters.q
  })
  return Promise.all(quotas)
}

describe('three regions, 150 ms apart: 401 session_ended after a logout at home', () => {
  test('within 1 s at home and by the stream of the home region, within 2 s by the feed', async () => {
    for (let round = 0; round < 5; round++) {
      const { home, stream, feed } = await timesToLogout()
      expect(home).toBeLessThan(1000)
      expect(stream).toBeLessThan(1000)
      expect(feed).toBeLessThan(2000)
    }
  })

  test('within 5 s everywhere while the Redis of the home region is gone', async () => {
    await regions.home.redis.kill()
    const { home, stream, feed } = await timesToLogout()
    await regions.home.redis.restart()
    expect(home).toBeLessThan(5000)
    expect(stream).toBeLessThan(5000)
    expect(feed).toBeLessThan(2000)
    const sources = async () =>
      Promise.all(everywhere().map(async (region) => (await region.readiness()).checks.revocations))
    await expect.poll(sources, { timeout: 20_000, interval: 100 }).toEqual([
      { status: 'pass', detail: 'stream' },
      { status: 'pass', detail: 'stream' },
      { status: 'pass', detail: 'feed' },
    ])
  }, 60_000)

  test('at the same bound where a remote region lost its own Redis; its limits are local, those of others shared', async () => {
    await regions.feed.redis.kill()
    const limiters = async () =>
      Promise.all(everywhere().map(async (region) => (await region.readiness()).checks.limiter.status))
    await expect.poll(limiters, { timeout: 5000, interval: 100 }).toEqual(['pass', 'pass', 'warn'])
    await expect
      .poll(quotasEverywhere, { timeout: 10_000, interval: 200 })
      .toEqual([addressQuota, addressQuota, addressQuota / 2])
    expect((await timesToLogout()).feed).toBeLessThan(2000)
    await regions.feed.redis.restart()
    await expect.poll(limiters, { timeout: 5000, interval: 100 }).toEqual(['pass', 'pass', 'pass'])
  }, 60_000)
})

describe('limits of three regions', () => {
  test('429: each region grants the whole quota, so a client of all gets three', async () => {
    // A call to Redis that takes longer than 50 ms, as on a busy machine, is counted locally: then
    // the next address shows it.
    await expect
      .poll(grantedEverywhere, { timeout: 30_000, interval: 1000 })
      .toEqual([addressQuota, addressQuota, addressQuota])
  })

  test('wrong passwords of one account count together: 429 in each region after five, and the lockout holds elsewhere', async () => {
    const email = newEmail()
    await regions.home.signUp(email)
    const [home, stream, feed] = everywhere()
    for (const region of [home, stream, feed, home, stream])
      expect((await region?.login(email, 'wrong horse battery', '198.51.100.2'))?.status).toBe(401)
    for (const region of everywhere())
      expect(await region.outcome(region.login(email, undefined, '198.51.100.2'))).toBe('429 rate_limited')
    expect(await regions.feed.outcome(regions.feed.login(email, undefined, '198.51.100.3'))).toBe(
      '401 invalid_credentials',
    )
  })
})

describe('an isolated region', () => {
  test('200 for the tokens it has keys for, 401 for those it knows as revoked, 502 for a refresh, which logs nobody out; /ready and metrics say so, and it knows all within 5 s of the end', async () => {
    const [endedBefore, endedDuring, unseen] = [
      await signUpEverywhere(),
      await signUpEverywhere(),
      await regions.home.signUp(newEmail()),
    ]
    await regions.home.logout(endedBefore)
    const remote = [regions.stream, regions.feed]
    for (const region of remote) await region.timeUntil('401 session_ended', endedBefore, performance.now())

    regions.stream.cut()
    regions.feed.refuse()
    await regions.home.logout(endedDuring)
    await regions.home.timeUntil('401 session_ended', endedDuring, performance.now())
    for (const region of remote) {
      expect(await region.useService(endedBefore)).toBe('401 session_ended')
      expect(await region.useService(endedDuring)).toBe('200')
      expect(await region.useService(unseen)).toBe('200')
      await expect.poll(region.readiness, { timeout: 10_000, interval: 100 }).toMatchObject({
        status: 200,
        checks: { key_set: { status: 'pass' }, origin: { status: 'warn' }, limiter: { status: 'pass' } },
      })
      await expect
        .poll(() => region.metric('gatehouse_gateway_revocation_contact_age_seconds'), { timeout: 10_000 })
        .toBeGreaterThan(3)
    }
    const refreshed = await regions.feed.post('/auth/refresh', { refresh_token: unseen.refresh_token })
    expect(refreshed.status).toBe(502)
    expect(refreshed.headers.get('retry-after')).not.toBeNull()

    for (const region of remote) region.restore()
    const restoredAt = performance.now()
    for (const region of remote)
      expect(await region.timeUntil('401 session_ended', endedDuring, restoredAt)).toBeLessThan(5000)
    const again = await regions.feed.post('/auth/refresh', { refresh_token: unseen.refresh_token })
    expect(again.status).toBe(200)
  }, 90_000)
})
