import { once } from 'node:events'
import { createServer } from 'node:net'
import { describeListenError, type ListenVariables } from '../shared/node/http/listen-error.ts'

export interface WantedPort {
  hostname: string
  port: number
  variables: ListenVariables
}

/** @throws Error naming the variable to change, where a port is wanted twice or cannot be had */
export async function requireFreePorts(wanted: readonly WantedPort[]): Promise<void> {
  for (const [index, { port, variables }] of wanted.entries()) {
    const other = wanted.slice(index + 1).find((each) => each.port === port)
    if (other) throw new Error(`${variables.port} and ${other.variables.port} are both ${port}.`)
  }
  for (const each of wanted) await requireFreePort(each)
}

async function requireFreePort({ hostname, port, variables }: WantedPort): Promise<void> {
  const server = createServer()
  try {
    server.listen(port, hostname)
    await once(server, 'listening')
  } catch (error) {
    throw new Error(`${describeListenError(error as NodeJS.ErrnoException, { hostname, port }, variables)}.`)
  }
  server.close()
  await once(server, 'close')
}
