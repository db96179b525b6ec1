import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ChildServer, startChildServer } from '../../tools/servers/process/child-server.ts'
import { createTemporaryFolder, removeFolder } from '../../tools/servers/process/temporary-folder.ts'

export interface ServiceOptions {
  name: string
  /** The file that Node runs, from the repository's root. */
  entry: string
  args?: string[]
  /** Node's own. */
  nodeOptions?: string[]
  environment: NodeJS.ProcessEnv
  port: number
}

export type Service = Awaited<ReturnType<typeof startService>>

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * One of our services as a process of its own, which can be stopped and started again on its port.
 */
export async function startService({
  name,
  entry,
  args = [],
  nodeOptions = [],
  environment,
  port,
}: ServiceOptions) {
  const folder = await createTemporaryFolder(`k6-${name}`)

  async function ping() {
    if (!(await fetch(`http://127.0.0.1:${port}/live`)).ok) throw new Error('not live')
  }

  const start = (): Promise<ChildServer> =>
    startChildServer({
      command: process.execPath,
      args: [...nodeOptions, join(root, entry), ...args],
      folder,
      env: environment,
      endSignal: 'SIGTERM',
      ping,
    })

  let child = await start().catch(async (error) => {
    await removeFolder(folder)
    throw error
  })

  return {
    name,
    port,
    get pid() {
      return child.pid
    },
    /** As a deployment does it: SIGTERM, the drain, a new process. */
    async restart() {
      await child.end()
      child = await start()
    },
    async stop() {
      await child.end()
      await removeFolder(folder)
    },
  }
}
