import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Seen {
  /** Requests since its start. */
  answered: number
  /** Of the last one: request line and headers. */
  lastHead: string
}

export interface Upstream {
  url: string
  seen(): Promise<Seen>
  stop(): Promise<void>
}

export async function startUpstream(): Promise<Upstream> {
  const child = fork(fileURLToPath(new URL('upstream-process.ts', import.meta.url)))
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  return {
    url: `http://127.0.0.1:${port}`,
    async seen() {
      const answer = once(child, 'message') as Promise<[Seen]>
      child.send('seen')
      return (await answer)[0]
    },
    async stop() {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}
