import { cp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import postgres from 'postgres'
import { type SystemUser, startChildServer } from '../process/child-server.ts'
import { findFreePort } from '../process/free-port.ts'
import { killFamily, signalFamily } from '../process/process-family.ts'
import { run } from '../process/run.ts'
import { createTemporaryFolder, removeFolder } from '../process/temporary-folder.ts'
import { findPostgresBinaries, hasExtensionLibrary } from './postgres-binaries.ts'

export interface RunningServer {
  url: string
  /** Ends it as a crash would, where it is one of its own. */
  kill?(): Promise<void>
  stop(): Promise<void>
}

/** A server of one test, which the test may break. */
export interface PrivatePostgres extends RunningServer {
  /** The folder of its cluster, which belongs to the user that runs it. */
  readonly dataDir: string
  readonly port: number
  /** Ends all of its processes as a crash would. */
  kill(): Promise<void>
  /** Pauses all of its processes: connections stay open and get no reply. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Starts it on the same port, with what is on disk; kills it before where it still runs. */
  restart(): Promise<void>
}

const statistics = 'pg_stat_statements'

/** A test's server need not survive a stop of the machine: the settings favour speed. */
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '300',
  fsync: 'off',
  full_page_writes: 'off',
}

interface PostgresOptions {
  /** The folder of the server's programs: with it, `TEST_DATABASE_URL` is ignored. */
  binaries?: string
  /** Settings over those of every test's server. */
  parameters?: Record<string, string>
  /** Changes the folder of the new cluster, which belongs to `user`, before the server starts. */
  prepare?: (dataDir: string, user: SystemUser | undefined) => Promise<void>
}

/**
 * Starts a PostgreSQL server with an empty cluster, or gives the one of `TEST_DATABASE_URL`. The
 * URL's user may create databases. Where the server has the library, the URL's own database has the
 * view `pg_stat_statements`, which counts the statements of all databases.
 *
 * @throws Error with what to install or set where there is no server to start
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningServer> {
  const given = process.env.TEST_DATABASE_URL
  if (given && !options.binaries) return { url: given, stop: async () => {} }
  return startPrivatePostgres(options)
}

/** As `startPostgres`, and always a server of its own. */
export async function startPrivatePostgres({
  binaries: own,
  parameters,
  prepare,
}: PostgresOptions = {}): Promise<PrivatePostgres> {
  const user = await findServerUser()
  const folder = await createTemporaryFolder('postgres', user)
  try {
    const binaries = await readableBinaries(own ?? (await findPostgresBinaries()), folder, user)
    const dataDir = join(folder, 'data')
    await initCluster(binaries, dataDir, user)
    await prepare?.(dataDir, user)
    const countsStatements = !own && hasExtensionLibrary(binaries, statistics)
    const allParameters = {
      ...settings,
      ...(countsStatements && { shared_preload_libraries: statistics, [`${statistics}.track`]: 'all' }),
      ...parameters,
    }
    const start = (port: number) => startOnPort({ binaries, dataDir, user, parameters: allParameters, port })
    const started = await startOnFreePort(start)
    const { url, port } = started
    let { server } = started
    if (countsStatements) await createExtension(url)

    async function kill(): Promise<void> {
      await killFamily(server.pid)
      await server.exited
    }

    return {
      url,
      port,
      dataDir,
      kill,
      pause: () => signalFamily(server.pid, 'SIGSTOP'),
      resume: () => signalFamily(server.pid, 'SIGCONT'),
      restart: async () => {
        await kill()
        server = (await start(port)).server
      },
      stop: async () => {
        await server.end()
        await removeFolder(folder)
      },
    }
  } catch (error) {
    await removeFolder(folder)
    throw error
  }
}

/** PostgreSQL refuses to run as root, so root starts it as another user. */
export async function findServerUser(): Promise<SystemUser | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const ids = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]).catch(() => undefined)
    if (ids) return { uid: Number(ids[0]), gid: Number(ids[1]) }
  }
  throw new Error(
    'PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody" to run it as.',
  )
}

/**
 * The other user may not reach what was fetched into a checkout below root's home: then it gets a
 * copy.
 */
async function readableBinaries(
  binaries: string,
  folder: string,
  user: SystemUser | undefined,
): Promise<string> {
  if (!user) return binaries
  try {
    await run(join(binaries, 'postgres'), ['--version'], { ...user, cwd: folder })
    return binaries
  } catch {
    const copy = join(folder, 'postgresql')
    await cp(dirname(binaries), copy, { recursive: true, verbatimSymlinks: true })
    return join(copy, 'bin')
  }
}

async function initCluster(binaries: string, dataDir: string, user: SystemUser | undefined): Promise<void> {
  const args = ['--pgdata', dataDir, '--username=postgres', '--auth=trust', '--encoding=UTF8', '--no-sync']
  const options = { ...user, cwd: dirname(dataDir) }
  try {
    await run(join(binaries, 'initdb'), [...args, '--locale=C.UTF-8'], options)
  } catch {
    // Not every system has that locale; all have C, whose only difference is that it folds the case
    // of ASCII alone.
    await removeFolder(dataDir)
    await run(join(binaries, 'initdb'), [...args, '--locale=C'], options)
  }
}

interface StartOptions {
  binaries: string
  dataDir: string
  user: SystemUser | undefined
  parameters: Record<string, string>
  port: number
}

async function startOnPort({ binaries, dataDir, user, parameters, port }: StartOptions) {
  const parameterArgs = Object.entries(parameters).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  const server = await startChildServer({
    command: join(binaries, 'postgres'),
    args: ['-D', dataDir, '-p', `${port}`, ...parameterArgs],
    folder: dirname(dataDir),
    user,
    endSignal: 'SIGINT',
    ping: () => query(url, 'select 1'),
  })
  return { url, port, server }
}

/** Another process may take the port between the check and the server's start. */
async function startOnFreePort(
  start: (port: number) => ReturnType<typeof startOnPort>,
): ReturnType<typeof startOnPort> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await findFreePort())
    } catch (error) {
      if (attempt === 3 || !String(error).includes('Address already in use')) throw error
    }
  }
}

async function createExtension(url: string): Promise<void> {
  await query(url, `create extension ${statistics}`)
}

async function query(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}
