import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { median } from '../common/statistics.ts'

/** The cost of one request, row or entry, each from the report or page that states it. */
export interface UnitCosts {
  gateway: {
    /** Processor time of a proxied request, one token in ten not seen before. */
    requestUs: number
    /** The same of few users, all of whose tokens are known. */
    hotRequestUs: number
    restBytes: number
    userBytes: number
    revocationBytes: number
  }
  redis: {
    requestUs: number
    roundTripsPerRequest: number
    counterBytes: number
    streamEntryBytes: number
    keyBytes: number
  }
  origin: { profileUs: number; refreshUs: number; loginUs: number }
  postgres: { refreshUs: number; profileUs: number; loginUs: number }
  /** SQL statements. */
  statements: { profile: number; refresh: number; login: number }
  writes: Record<'refresh' | 'login' | 'logout', Writes>
  /** Table and indexes. */
  rowBytes: { token: number; session: number; attempt: number; audit: number; account: number }
}

interface Writes {
  commits: number
  /** Of pages that were written since the last checkpoint. */
  walBytes: number
  /** Of pages that were not, whose images are compressed. */
  walBytesCompressed: number
}

type Row = Record<string, string | number>

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')

const rowsOf = (path: string): Row[] =>
  read(path)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row)

/** The groups of a pattern as numbers. @throws Error where the page no longer says so */
function numbersIn(path: string, pattern: RegExp): number[] {
  const found = pattern.exec(read(path))
  if (!found) throw new Error(`${path} has nothing like ${pattern}: the model reads its costs there`)
  return found.slice(1).map((text) => Number(text.replaceAll(',', '')))
}

function numberIn(path: string, pattern: RegExp): number {
  const [number] = numbersIn(path, pattern)
  return number as number
}

const gatewayResults = 'bench/results/gateway.jsonl'
const writesResults = 'bench/results/writes.jsonl'
const capacityPage = 'docs/capacity.md'
const enginesPage = 'docs/engines.md'

const gatewayRounds = () => rowsOf(gatewayResults).filter(({ contender }) => contender === 'gatehouse')

/** The cheapest and the dearest round of `gateway.requestUs`. */
export function unitCostRanges(): { least: number; most: number } {
  const rounds = gatewayRounds().filter(({ part, workload }) => part === 'cost' && workload === 'rare')
  const all = rounds.map(({ us }) => Number(us))
  return { least: Math.min(...all), most: Math.max(...all) }
}

/** @throws Error naming the page that lacks a figure */
export function readUnitCosts(): UnitCosts {
  const gatewayRows = gatewayRounds()
  const costOf = (name: string, workload: string) =>
    median(
      gatewayRows
        .filter((row) => row.part === 'cost' && row.workload === workload)
        .map((row) => Number(row[name])),
    )
  const memory = gatewayRows.find(({ part }) => part === 'memory')
  if (!memory) throw new Error(`${gatewayResults} has no memory of gatehouse`)
  const writesOf = (kind: string): Writes => {
    const row = rowsOf(writesResults).find((row) => row.part === 'writes' && row.kind === kind)
    if (!row) throw new Error(`${writesResults} has no ${kind}`)
    return {
      commits: Number(row.commits),
      walBytes: Number(row.walBytes),
      walBytesCompressed: Number(row.walBytesCompressed),
    }
  }
  const [refreshUs, refreshPostgresUs] = numbersIn(capacityPage, /^\| `O`, `P` \|.*\| (\d+) µs, (\d+) µs/m)
  const [profile, refresh, login] = numbersIn(
    capacityPage,
    /of the profile (\d+), a refresh (\d+), a login (\d+)/,
  )
  const [streamEntryBytes, keyBytes] = numbersIn(
    enginesPage,
    /revocation takes (\d+) bytes in the stream[^.]*,\s+and\s+(\d+) as a key/,
  )
  const [originProfileUs] = numbersIn('k6/README.md', /^\| origin, us \| [\d.,]+ \| ([\d.,]+) \|/m)
  const [profileUs, loginPostgresUs] = numbersIn(
    'k6/README.md',
    /^\| PostgreSQL, us \| [\d.,]+ \| ([\d.,]+) \| [\d.,]+ \| ([\d.,]+) \|/m,
  )
  const rowBytes = (label: string) =>
    numberIn(capacityPage, new RegExp(`^\\| ${label} \\|[^|]*\\| ([\\d,]+) bytes \\|`, 'm'))
  return {
    gateway: {
      requestUs: costOf('us', 'rare'),
      hotRequestUs: costOf('us', 'hot'),
      restBytes: Number(memory.rested),
      userBytes: (Number(memory.after) - Number(memory.before)) / Number(memory.users),
      revocationBytes: numberIn('docs/adr/0006-revocation.md', /an ended session in memory \| (\d+) bytes/),
    },
    redis: {
      requestUs: costOf('redisUs', 'hot'),
      roundTripsPerRequest: costOf('roundTrips', 'hot'),
      counterBytes: numberIn(enginesPage, /counter takes (\d+) bytes/),
      streamEntryBytes: streamEntryBytes as number,
      keyBytes: keyBytes as number,
    },
    origin: {
      profileUs: originProfileUs as number,
      refreshUs: refreshUs as number,
      loginUs: 1000 * numberIn(capacityPage, /^\| `H` \|.*\| (\d+) ms/m),
    },
    postgres: {
      refreshUs: refreshPostgresUs as number,
      profileUs: profileUs as number,
      loginUs: loginPostgresUs as number,
    },
    statements: { profile: profile as number, refresh: refresh as number, login: login as number },
    writes: { refresh: writesOf('refresh'), login: writesOf('login'), logout: writesOf('logout') },
    rowBytes: {
      token: rowBytes('a token row'),
      session: rowBytes('a session row'),
      attempt: rowBytes('a login attempt'),
      audit: rowBytes('an audit row'),
      account: numberIn(capacityPage, /^\| accounts \|.*`A × ([\d,]+)`/m),
    },
  }
}
