import { startChildServer } from '../../tools/servers/process/child-server.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../../tools/servers/process/temporary-folder.ts'

/**
 * Starts moto's server, an AWS that keeps all in memory, on a port of 127.0.0.1.
 *
 * @param env in which Python finds moto
 */
export async function startMotoServer(env: NodeJS.ProcessEnv, account: string) {
  const folder = await createTemporaryFolder('moto')
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const server = await startChildServer({
    command: 'python3',
    args: ['-m', 'moto.server', '-H', '127.0.0.1', '-p', `${port}`],
    folder,
    env: { ...env, MOTO_ACCOUNT_ID: account },
    endSignal: 'SIGKILL',
    ping: async () => {
      const response = await fetch(`${url}/moto-api/data.json`)
      if (!response.ok) throw new Error(`moto answered ${response.status}`)
    },
  })
  return {
    url,
    async stop() {
      await server.end()
      await removeFolder(folder)
    },
  }
}
