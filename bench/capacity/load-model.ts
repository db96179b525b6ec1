import type { UnitCosts } from './unit-costs.ts'

/**
 * From people to requests, processors, bytes and cells. Pure arithmetic, with the assumptions of
 * docs/capacity.md; docs/scaling.md says what follows from it.
 */

export interface Population {
  /** Accounts. */
  users: number
  /** Share of them at work at once, in the busiest hour. */
  atWork: number
}

/** The habits of somebody at work: those of `k6/client/mix.ts`. */
export const habits = {
  secondsPerRequest: 10,
  profileShare: 0.05,
  secondsPerRefresh: 900,
  secondsPerLogin: 8 * 3600,
}

/** Above this, queues form in a burst. */
export const utilization = 0.6

/** So many that one may fail while another is replaced. */
const fewestGateways = 3

/** Cores of one origin, each with a hashing thread, and its connections beside the pool. */
const originCores = 4
const connectionsPerOrigin = 53

/** How long rows are kept, in days: the defaults of their variables. */
const keptDays = { token: 8, session: 60, attempt: 90, audit: 365 }
const tokensPerDay = 33

/** Lives of a revocation, in seconds: in memory and as a key, and in the stream. */
const revocationSeconds = 960
const streamSeconds = 7200

/** Every session counted as ended by a logout: the most revocations that logins can lead to. */
const logoutsPerLogin = 1

/** Of one cell. Assumed, not measured: what one rents as a managed PostgreSQL without asking. */
export interface CellLimits {
  postgresCores: number
  storedBytes: number
  /** Shipped to a standby and to the archive meanwhile. */
  walBytesPerSecond: number
  /** The most people that one failure may concern. */
  users: number
}

const cellLimits: CellLimits = {
  postgresCores: 16,
  storedBytes: 2e12,
  walBytesPerSecond: 60e6,
  users: 5e6,
}

export interface Load {
  requestsPerSecond: number
  refreshesPerSecond: number
  loginsPerSecond: number
  gateways: number
  /** Of one gateway: verified tokens of so many users, and all revocations. */
  gatewayBytes: number
  redisRoundTripsPerSecond: number
  redisCores: number
  redisServers: number
  redisBytes: number
  /** Of the revocation stream, which each gateway reads whole. */
  streamBytesPerSecond: number
  origins: number
  hashingCores: number
  refreshCores: number
  profileCores: number
  statementsPerSecond: number
  /** That write, each of which waits for the disk. */
  commitsPerSecond: number
  postgresCores: number
  /** Without and with the images of pages, between which a real server is. */
  walBytesPerSecond: { least: number; most: number }
  rows: number
  storedBytes: number
  connections: number
  cells: number
  /** Limits that need so many cells. */
  boundBy: (keyof CellLimits)[]
}

/** Verified tokens that a gateway remembers: `cacheSize` of its token verifier, twice at most. */
const rememberedTokens = 200_000

export function loadOf(population: Population, costs: UnitCosts, limits: CellLimits = cellLimits): Load {
  const people = population.users * population.atWork
  const requests = people / habits.secondsPerRequest
  const refreshes = people / habits.secondsPerRefresh
  const logins = people / habits.secondsPerLogin
  const logouts = logins * logoutsPerLogin
  const profiles = requests * habits.profileShare

  const gateways = Math.max(fewestGateways, coresFor(requests, costs.gateway.requestUs))
  const revocationsInForce = logouts * revocationSeconds
  const hashingCores = (logins * costs.origin.loginUs) / 1e6 / utilization
  const refreshCores = (refreshes * costs.origin.refreshUs) / 1e6 / utilization
  const profileCores = (profiles * costs.origin.profileUs) / 1e6 / utilization
  const redisCores = (requests * costs.redis.requestUs) / 1e6 / utilization
  const origins = Math.max(2, Math.ceil((hashingCores + refreshCores + profileCores) / originCores))

  const { writes, postgres, statements, rowBytes, redis } = costs
  const sumOfWrites = (name: keyof UnitCosts['writes']['refresh']) =>
    refreshes * writes.refresh[name] + logins * writes.login[name] + logouts * writes.logout[name]
  const busyUs = profiles * postgres.profileUs + refreshes * postgres.refreshUs + logins * postgres.loginUs
  const rowsOf = {
    token: people * tokensPerDay * keptDays.token,
    session: people * keptDays.session,
    attempt: people * keptDays.attempt,
    audit: people * keptDays.audit,
    account: population.users,
  }
  const names = Object.keys(rowsOf) as (keyof typeof rowsOf)[]

  const load = {
    requestsPerSecond: requests,
    refreshesPerSecond: refreshes,
    loginsPerSecond: logins,
    gateways,
    gatewayBytes:
      costs.gateway.restBytes +
      Math.min(people, rememberedTokens) * costs.gateway.userBytes +
      revocationsInForce * costs.gateway.revocationBytes,
    redisRoundTripsPerSecond: requests * redis.roundTripsPerRequest,
    redisCores,
    redisServers: Math.ceil(redisCores),
    redisBytes:
      people * redis.counterBytes +
      revocationsInForce * redis.keyBytes +
      logouts * streamSeconds * redis.streamEntryBytes,
    streamBytesPerSecond: gateways * logouts * redis.streamEntryBytes,
    origins,
    hashingCores,
    refreshCores,
    profileCores,
    statementsPerSecond:
      profiles * statements.profile + refreshes * statements.refresh + logins * statements.login,
    commitsPerSecond: sumOfWrites('commits'),
    postgresCores: busyUs / 1e6 / utilization,
    walBytesPerSecond: { least: sumOfWrites('walBytes'), most: sumOfWrites('walBytesCompressed') },
    rows: names.reduce((sum, name) => sum + rowsOf[name], 0),
    storedBytes: names.reduce((sum, name) => sum + rowsOf[name] * rowBytes[name], 0),
    connections: origins * connectionsPerOrigin,
  }
  return { ...load, ...cellsFor(load, population.users, limits) }
}

/** Whole processes or servers of one core. */
const coresFor = (perSecond: number, microseconds: number) =>
  Math.ceil((perSecond * microseconds) / 1e6 / utilization)

type Limited = Pick<Load, 'postgresCores' | 'storedBytes' | 'walBytesPerSecond'>

function cellsFor(load: Limited, users: number, limits: CellLimits): Pick<Load, 'cells' | 'boundBy'> {
  const needed: Record<keyof CellLimits, number> = {
    postgresCores: load.postgresCores,
    storedBytes: load.storedBytes,
    walBytesPerSecond: load.walBytesPerSecond.most,
    users,
  }
  const names = Object.keys(needed) as (keyof CellLimits)[]
  const cellsOf = (name: keyof CellLimits) => Math.max(1, Math.ceil(needed[name] / limits[name]))
  const cells = Math.max(...names.map(cellsOf))
  return { cells, boundBy: cells === 1 ? [] : names.filter((name) => cellsOf(name) === cells) }
}
