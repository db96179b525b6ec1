import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { startChildServer } from '../process/child-server.ts'
import { findFreePort } from '../process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../process/temporary-folder.ts'
import { findProgram } from '../programs/find-program.ts'
import { findServerUser, type RunningServer } from './postgres.ts'

/**
 * Starts a PgBouncer in transaction mode before a server of the tests, with its own settings
 * otherwise.
 *
 * @param serverConnections to each database; few make clients meet the sessions of others at once
 * @returns a server whose URL leads to the same database
 */
export async function startPgBouncer(databaseUrl: string, serverConnections = 4): Promise<RunningServer> {
  const target = new URL(databaseUrl)
  const { command, env } = await findProgram({
    names: ['pgbouncer'],
    apt: 'pgbouncer',
    homebrew: 'pgbouncer',
  })
  const user = await findServerUser()
  const folder = await createTemporaryFolder('pgbouncer', user)
  const port = await findFreePort()
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = `${port}`
  const configuration = join(folder, 'pgbouncer.ini')
  const { hostname, port: serverPort, username, password } = target
  const secret = password ? ` password=${decodeURIComponent(password)}` : ''
  const credentials = `user=${decodeURIComponent(username)}${secret}`
  const upstream = `host=${hostname} port=${serverPort} ${credentials}`
  await writeFile(
    configuration,
    `[databases]
* = ${upstream}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${serverConnections}
max_client_conn = 500
server_login_retry = 1
`,
    { mode: 0o644 },
  )
  const server = await startChildServer({
    command,
    args: [configuration],
    folder,
    env,
    user,
    endSignal: 'SIGINT',
    ping: async () => {
      const sql = postgres(url.href, { max: 1, prepare: false, connect_timeout: 5 })
      try {
        await sql`select`
      } finally {
        await sql.end({ timeout: 0 })
      }
    },
  })
  return {
    url: url.href,
    async stop() {
      await server.end()
      await removeFolder(folder)
    },
  }
}
