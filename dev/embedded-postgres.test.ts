import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startEmbeddedPostgres } from './embedded-postgres.ts'

/**
 * To make a database takes seconds, and longer where other tests run: so the second test goes on
 * with the first one's.
 */
vi.setConfig({ testTimeout: 60_000 })

let folder: string
let dataDir: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-embedded-'))
  dataDir = join(folder, 'postgres')
})

afterAll(() => rm(folder, { recursive: true }))

/**
 * Another process with the embedded database, which prints its URL when it has started, and does
 * not outlive us.
 */
function spawnEmbedded() {
  const code = `
    import { startEmbeddedPostgres } from '${new URL('./embedded-postgres.ts', import.meta.url)}'
    process.stdin.on('end', () => process.exit()).resume()
    process.stdout.write((await startEmbeddedPostgres({ dataDir: '${dataDir}' })).url)`
  return spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

async function killHard(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

test('a start that was killed while it created the database is repaired by the next', async () => {
  const child = spawnEmbedded()
  await vi.waitUntil(() => existsSync(join(dataDir, 'cluster.new')), { timeout: 30_000, interval: 5 })
  await killHard(child)

  const { url, stop } = await startEmbeddedPostgres({ dataDir })
  const sql = postgres(url)
  expect(await sql`select 1 as value`).toMatchObject([{ value: 1 }])
  await sql.end()
  await stop()
})

test('what was committed outlives a process killed while it writes, and a stop', async () => {
  const child = spawnEmbedded()
  const [url] = await once(child.stdout, 'data')
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(`in use by process ${child.pid}.`)

  const writer = postgres(`${url}`, { max: 1 })
  await writer`create table notes (id serial primary key, text text)`
  let committed = 0
  const writing = (async () => {
    for (;;) {
      const [row] = await writer`insert into notes (text) values (repeat('x', 4000)) returning id`
      committed = row?.id
    }
  })()
  await vi.waitUntil(() => committed > 300, { timeout: 30_000 })
  await Promise.all([killHard(child), expect(writing).rejects.toThrow()])
  await writer.end({ timeout: 0 })

  for (const _start of ['after the kill', 'after a stop']) {
    const { url, stop } = await startEmbeddedPostgres({ dataDir })
    const sql = postgres(url, { max: 1 })
    const [row] = await sql`select count(*)::int as count from notes`
    // The last one may be committed without our having heard of it.
    expect([committed, committed + 1]).toContain(row?.count)
    await sql`reindex table notes`
    await sql.end()
    await stop()
  }
})
