import { originVariables } from '../../../origin/config.ts'
import type { Sql } from '../../../origin/db/types.ts'
import { createRefreshTokens } from '../../../origin/sessions/refresh-tokens.ts'
import { readConfig } from '../../../shared/config.ts'
import { figure } from '../../common/report.ts'
import { createBenchSessions } from '../environment/bench-sessions.ts'
import type { BenchPart } from '../environment/part.ts'
import {
  addAccounts,
  address,
  addSessions,
  context,
  hashPassword,
  openDatabase,
} from '../environment/seed.ts'
import { withOrigin } from '../environment/start-origin.ts'

/** Far more than operations, so that those of one round rarely share a page. */
const accounts = 50_000
const operations = { images: 200, compressed: 200, none: 1000 }

/** Kept low, since hashing writes nothing. */
const hashCost = 4

const modes = {
  images: { full_page_writes: 'on', wal_compression: 'off' },
  compressed: { full_page_writes: 'on', wal_compression: 'on' },
  none: { full_page_writes: 'off', wal_compression: 'off' },
} as const

interface Writes {
  /** Transactions with an id: each waits for the disk once. */
  commits: number
  walBytes: number
}

/**
 * Bytes of WAL and commits of each operation that writes, the same on any machine. Page images are
 * what the first change of a page after a checkpoint writes (`full_page_writes`), compressed where
 * `wal_compression` is on. With them is the most that an operation writes, in a database far larger
 * than what changes between checkpoints.
 */
export const writesBench: BenchPart = async ({ server, secrets, report }) => {
  const url = await server.createDatabase('bench_writes')
  const sql = await openDatabase(url)
  const config = readConfig(originVariables, { ...secrets, DATABASE_URL: url })
  const refreshTokens = createRefreshTokens(config.REFRESH_TOKEN_KEY)
  const sessions = await createBenchSessions(config, sql)

  const passwordHash = await hashPassword(config.PASSWORD_DIGEST_KEY, hashCost)
  const userIds = await addAccounts(sql, { prefix: 'w', count: accounts, passwordHash })
  const live = userIds.map(() => refreshTokens.createFirst())
  await addSessions(sql, userIds, live)
  await sql`alter table user_accounts set (autovacuum_enabled = off)`
  await sql`alter table sessions set (autovacuum_enabled = off)`
  await sql`alter table tokens set (autovacuum_enabled = off)`

  const table: (string | number)[][] = [['', 'commits', 'WAL, bytes', 'images of pages', 'images compressed']]
  async function measureKind(kind: string, act: (number: number) => Promise<unknown>) {
    const pick = pickAccounts()
    const measured = async (mode: keyof typeof modes) => measure(sql, mode, () => act(pick()))
    const images = await measured('images')
    const compressed = await measured('compressed')
    const { commits, walBytes } = await measured('none')
    const row = {
      commits,
      walBytes,
      walBytesWithImages: images.walBytes,
      walBytesCompressed: compressed.walBytes,
    }
    report.raw({ part: 'writes', kind, ...row })
    const bytes = [walBytes, images.walBytes, compressed.walBytes]
    table.push([kind, figure(commits), ...bytes.map(Math.round)])
  }

  await measureKind('refresh', async (number) => {
    const outcome = await sessions.refresh(live[number] as string, context)
    if (outcome.kind !== 'rotated') throw new Error(`A refresh was ${outcome.kind}: the bench is wrong.`)
    live[number] = outcome.tokens.refresh_token
  })
  await measureKind('logout', (number) =>
    sessions.logout(live[number] as string, { everywhere: false }, context),
  )
  await withOrigin({ databaseUrl: url, secrets, cost: hashCost, threads: 1 }, (origin) =>
    measureKind('login', async (number) => {
      const { status } = await origin.login(address('w', number))
      if (status !== 200) throw new Error(`A login was ${status}: the bench is wrong.`)
    }),
  )
  report.heading('What each operation writes')
  report.text(
    `Per operation, of ${accounts} accounts at random; each on pages of its own where with images.\n`,
  )
  report.table(table)
  await sql.end()
}

/** Every account at most once, in an order that leaves neighbours far apart. */
function pickAccounts(): () => number {
  const step = 7919
  let turn = 0
  return () => (turn++ * step) % accounts
}

async function measure(sql: Sql, mode: keyof typeof modes, act: () => Promise<unknown>): Promise<Writes> {
  const count = operations[mode]
  for (const [name, value] of Object.entries(modes[mode]))
    await sql`alter system set ${sql(name)} = ${sql.unsafe(value)}`
  await sql`select pg_reload_conf()`
  await sql`checkpoint`
  const before = await readPosition(sql)
  for (let done = 0; done < count; done++) await act()
  const after = await readPosition(sql)
  return {
    commits: (after.transactions - before.transactions) / count,
    walBytes: (after.walBytes - before.walBytes) / count,
  }
}

async function readPosition(sql: Sql): Promise<{ transactions: number; walBytes: number }> {
  const [row] = await sql<[{ transactions: number; walBytes: number }]>`
    select
      pg_snapshot_xmax(pg_current_snapshot())::text::float8 as transactions,
      (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8 as "walBytes"`
  return row
}
