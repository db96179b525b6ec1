import { migrate } from '../../origin/db/migrate.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { type Region, type Regions, startRegions } from '../../test/support/regions/regions.ts'
import { startDurablePostgres } from '../common/durable-postgres.ts'
import { median } from '../common/statistics.ts'

/**
 * The delay of a logout, and of the calls that the origin answers, in three regions
 * (docs/regions.md). Delays of the network are added by proxies, which add none to the handshake of
 * a connection.
 */

const rounds = 20
const roundTripsMs = [150, 300]

const line = (cells: readonly unknown[]) => process.stdout.write(`| ${cells.join(' | ')} |\n`)
const ms = (value: number) => `${Math.round(value)} ms`

async function durationOf(call: () => Promise<Response>): Promise<number> {
  const startedAt = performance.now()
  const response = await call()
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}`)
  await response.arrayBuffer()
  return performance.now() - startedAt
}

/** Milliseconds from the start of each logout at home until the region refuses the token. */
async function measureLogouts({ home, stream, feed }: Regions): Promise<Map<string, number[]>> {
  const everywhere = [home, stream, feed]
  const times = new Map<string, number[]>(everywhere.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const tokens = await home.signUp(`logout-${round}@example.com`)
    const startedAt = performance.now()
    const [, ...passed] = await Promise.all([
      home.logout(tokens),
      ...everywhere.map((region) => region.timeUntil('401 session_ended', tokens, startedAt)),
    ])
    for (const [index, { name }] of everywhere.entries()) times.get(name)?.push(passed[index] as number)
  }
  return times
}

/** Median milliseconds of each kind of call in one region. */
async function measureCalls(region: Region) {
  const times = {
    login: [] as number[],
    refresh: [] as number[],
    profile: [] as number[],
    service: [] as number[],
  }
  for (let round = 0; round < rounds; round++) {
    const email = `calls-${region.name}-${round}@example.com`
    const tokens = await region.signUp(email)
    const headers = { authorization: `Bearer ${tokens.access_token}` }
    times.login.push(await durationOf(() => region.login(email)))
    times.profile.push(await durationOf(() => region.call('/v1/me', { headers })))
    times.service.push(await durationOf(() => region.call('/v1/local', { headers })))
    const { refresh_token } = tokens
    times.refresh.push(await durationOf(() => region.post('/auth/refresh', { refresh_token })))
  }
  return Object.values(times).map((values) => ms(median(values)))
}

const postgres = await startDurablePostgres()
try {
  for (const roundTripMs of roundTripsMs) {
    const databaseUrl = await postgres.createDatabase(`gatehouse_regions_${roundTripMs}`)
    await migrate(databaseUrl)
    const regions = await startRegions({ databaseUrl, roundTripMs, environment: highLimits })
    try {
      process.stdout.write(`\n${roundTripMs} ms between the home region and the others\n\n`)
      line([
        'region',
        'a logout holds after: median',
        'longest',
        'login',
        'refresh',
        'profile',
        'own service',
      ])
      line(Array.from({ length: 7 }, () => '---'))
      const logouts = await measureLogouts(regions)
      for (const region of [regions.home, regions.stream, regions.feed]) {
        const passed = logouts.get(region.name) ?? []
        line([region.name, ms(median(passed)), ms(Math.max(...passed)), ...(await measureCalls(region))])
      }
    } finally {
      await regions.stop()
    }
  }
} finally {
  await postgres.stop()
}
