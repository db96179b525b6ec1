import { readFileSync, readlinkSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import postgres from 'postgres'
import { databaseUrl } from '../../tools/servers/postgres/database-url.ts'
import { startPostgres } from '../../tools/servers/postgres/postgres.ts'
import { startChildServer } from '../../tools/servers/process/child-server.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { sleep } from './load.ts'

export interface DurablePostgres {
  /** Of the postmaster, whose children all other processes of the server are. */
  pid: number
  /** Of the maintenance database. */
  url: string
  /** Makes an empty database. */
  createDatabase(name: string): Promise<string>
  stop(): Promise<void>
}

const exitTimeoutMs = 10_000
const exitPollMs = 20

/**
 * A PostgreSQL server of our own with the settings a server has by default, above all `fsync`,
 * without which a commit costs next to nothing. The tests' server has it off on its command line,
 * which no ALTER SYSTEM overrides: so its cluster is started once more without. Linux alone, as are
 * the processor times that are read of it.
 *
 * @param countsStatements whether its maintenance database has `pg_stat_statements`, where the
 *   server has the library; it costs a little
 * @throws Error where TEST_DATABASE_URL names a server that is not ours to restart
 */
export async function startDurablePostgres({ countsStatements = false } = {}): Promise<DurablePostgres> {
  if (process.env.TEST_DATABASE_URL)
    throw new Error('The bench reads processor times of its own PostgreSQL server: unset TEST_DATABASE_URL.')
  const forTests = await startPostgres()
  try {
    const dataDir = await ask(forTests.url, "select current_setting('data_directory') as answer")
    const preloaded = await ask(forTests.url, "select current_setting('shared_preload_libraries') as answer")
    const firstPid = Number.parseInt(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8'), 10)
    const command = readlinkSync(`/proc/${firstPid}/exe`)
    await endProcess(firstPid)

    const port = await findFreePort()
    const url = `postgres://postgres@127.0.0.1:${port}/postgres`
    const { uid, gid } = statSync(dataDir)
    const server = await startChildServer({
      command,
      args: [
        ...['-D', dataDir, '-p', `${port}`, '-c', 'listen_addresses=127.0.0.1', '-k', ''],
        ...(countsStatements ? ['-c', `shared_preload_libraries=${preloaded}`] : []),
      ],
      folder: dirname(dataDir),
      user: process.getuid?.() === 0 ? { uid, gid } : undefined,
      endSignal: 'SIGINT',
      ping: async () => void (await ask(url, 'select 1 as answer')),
    })
    return {
      pid: server.pid,
      url,
      async createDatabase(name) {
        await ask(url, `create database ${name}`)
        return databaseUrl(url, name)
      },
      async stop() {
        await server.end()
        await forTests.stop()
      },
    }
  } catch (error) {
    await forTests.stop()
    throw error
  }
}

async function ask(url: string, statement: string): Promise<string> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} })
  try {
    const [row] = await sql.unsafe(statement)
    return row?.answer
  } finally {
    await sql.end()
  }
}

/** A child process keeps its id until Node has read its exit status. */
async function endProcess(pid: number): Promise<void> {
  process.kill(pid, 'SIGINT')
  const deadline = performance.now() + exitTimeoutMs
  while (isAlive(pid)) {
    if (performance.now() > deadline) throw new Error(`PostgreSQL ${pid} does not end.`)
    await sleep(exitPollMs)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
