import { audience } from '../../../test/support/gateway/issuer.ts'
import { startChildServer } from '../../../tools/servers/process/child-server.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../../../tools/servers/process/temporary-folder.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { contenderCores } from '../environment/cores.ts'
import { issuerUrl } from '../environment/tokens.ts'
import type { Contender } from './contenders.ts'

export interface Running {
  pid: number
  url: string
  stop(): Promise<void>
}

interface StartOptions {
  /** In Redis, so that no two share a counter. */
  name: string
  addressQuota: number
}

/** The window of the limit of addresses. */
export const addressSeconds = 900

/**
 * Starts a contender as a process of its own, on the core that is kept for it, or on a core for
 * each of its processes.
 */
export async function startContender(
  contender: Contender,
  benchEnvironment: BenchEnvironment,
  { name, addressQuota }: StartOptions,
): Promise<Running> {
  const folder = await createTemporaryFolder('contender')
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const { command, args, env } = contender.run({
    folder,
    port,
    upstreamUrl: benchEnvironment.upstream.url,
    redisUrl: benchEnvironment.redis.url,
    keyPrefix: `${name}:`,
    issuer: issuerUrl,
    audience,
    publicKey: benchEnvironment.publicKey,
    addressQuota,
    addressSeconds,
    originUrl: benchEnvironment.origin.url,
    assertionPrivateJwk: benchEnvironment.secrets.ASSERTION_PRIVATE_JWK,
  })
  const server = await startChildServer({
    command: 'taskset',
    args: ['--cpu-list', contenderCores(contender.processes), command, ...args],
    folder,
    env: { PATH: process.env.PATH, ...env },
    endSignal: 'SIGTERM',
    // Any answer will do, a refusal too: what it does is proven later.
    ping: async () => void (await fetch(`${url}/live`)),
  })
  return {
    pid: server.pid,
    url,
    async stop() {
      await server.end()
      await removeFolder(folder)
    },
  }
}
