import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type ChildServer, startChildServer } from '../../../tools/servers/process/child-server.ts'
import { createTemporaryFolder, removeFolder } from '../../../tools/servers/process/temporary-folder.ts'

interface SupervisedOptions {
  name: string
  /** The file that Node runs, from the repository's root. */
  entry: string
  /** A file that Node loads before it. */
  preload?: string | undefined
  environment: Record<string, string>
  port: number
  /** Called where the process ends without having been told to, after it has served. */
  onCrash: (lastLines: string) => void
}

export type SupervisedService = Awaited<ReturnType<typeof superviseService>>

const root = fileURLToPath(new URL('../../..', import.meta.url))
const startAgainMs = 200
const probeTimeoutMs = 1000
const shownLines = 15

/** A process of Gatehouse with a supervisor that starts it again, as each deployment has one. */
export async function superviseService(options: SupervisedOptions) {
  const { name, entry, preload, environment, port, onCrash } = options
  const folder = await createTemporaryFolder(`drill-${name.replace(' ', '-')}`)
  /** The one that serves; undefined while none should. */
  let current: ChildServer | undefined
  let isWanted = true

  const get = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(probeTimeoutMs),
    })

  const lastLines = () =>
    readFileSync(join(folder, 'server.log'), 'utf8').trim().split('\n').slice(-shownLines).join('\n')

  async function startOnce(): Promise<ChildServer> {
    return startChildServer({
      command: process.execPath,
      args: [...(preload ? ['--import', join(root, preload)] : []), join(root, entry)],
      folder,
      env: environment,
      endSignal: 'SIGKILL',
      ping: async () => {
        if (!(await get('/live')).ok) throw new Error('not live')
      },
    })
  }

  /** An origin that finds no database ends, and is started again. */
  async function start(): Promise<void> {
    isWanted = true
    while (isWanted && !current) {
      const child = await startOnce().catch(() => undefined)
      if (child) adopt(child)
      else await sleep(startAgainMs)
    }
  }

  function adopt(child: ChildServer): void {
    current = child
    void child.exited.then(() => {
      if (current !== child) return
      current = undefined
      onCrash(lastLines())
      return start()
    })
  }

  /** Leaves no process that would be started again. */
  function release(): ChildServer | undefined {
    const child = current
    current = undefined
    isWanted = false
    return child
  }

  adopt(await startOnce())
  return {
    name,
    port,
    isReady: (): Promise<boolean> =>
      get('/ready').then(
        (response) => response.ok,
        () => false,
      ),
    /** Resolves when the process serves. */
    start,
    async kill(): Promise<void> {
      const child = release()
      child?.signal('SIGKILL')
      await child?.exited
    },
    /** As a deployment does it: SIGTERM, and the drain. */
    async terminate(): Promise<void> {
      const child = release()
      child?.signal('SIGTERM')
      await child?.exited
    },
    pause: () => current?.signal('SIGSTOP'),
    resume: () => current?.signal('SIGCONT'),
    async stop(): Promise<void> {
      const child = release()
      await child?.end()
      await removeFolder(folder)
    },
  }
}
