import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startChildServer } from '../../tools/servers/process/child-server.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../../tools/servers/process/temporary-folder.ts'
import type { GatewayHarness } from './gateway-harness.ts'
import type { Runtime } from './runtimes.ts'

const policyFile = fileURLToPath(new URL('policy.yaml', import.meta.url))

/** Whom pages may call us from, in the suite. */
export const allowedOrigin = 'https://app.example.com'

/** Requests of one address, in the suite. */
export const addressQuota = 20

/** Tests choose their client addresses by the header that a trusted proxy would write. */
const trustedHops = 1

/**
 * Starts the gateway on a runtime, with the same servers as every other, and resolves when it is
 * ready.
 */
export async function startGateway(runtime: Runtime, { environment }: Pick<GatewayHarness, 'environment'>) {
  const port = await findFreePort()
  const folder = await createTemporaryFolder(runtime.name)
  const { command, args, env } = runtime.start({
    port,
    policyFile,
    folder,
    environment: {
      ASSERTION_PRIVATE_JWK: environment.ASSERTION_PRIVATE_JWK,
      ORIGIN_URL: environment.ORIGIN_URL,
      REDIS_URL: environment.REDIS_URL,
      UPSTREAMS: environment.UPSTREAMS,
      CORS_ORIGINS: allowedOrigin,
      LIMIT_ADDRESS_REQUESTS: String(addressQuota),
      TRUSTED_PROXY_HOPS: String(trustedHops),
      LOG_LEVEL: 'warn',
    },
  })
  try {
    const server = await startChildServer({
      command,
      args,
      folder,
      env: { PATH: process.env.PATH, HOME: folder, ...env },
      endSignal: 'SIGTERM',
      ping: () => untilReady(port),
    })
    return {
      port,
      async stop() {
        await server.end()
        await removeFolder(folder)
      },
    }
  } catch (error) {
    await removeFolder(folder)
    throw error
  }
}

async function untilReady(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/ready`)
  const text = await answer.text()
  if (!answer.ok) throw new Error(`/ready answered ${answer.status}: ${text}`)
}

/** As long as a lost master may be missed. */
const failoverMs = 20_000
const pollMs = 100

/**
 * Resolves when the gateway counts limits in Redis and reads revocations from its stream.
 *
 * @throws Error with what it says of both where it does not in 20 s
 */
export async function untilInRedis(port: number): Promise<void> {
  const deadline = performance.now() + failoverMs
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/ready`)
    const { checks } = (await response.json()) as {
      checks: Record<string, { status: string; detail?: string }>
    }
    if (checks.limiter?.status === 'pass' && checks.revocations?.detail === 'stream') return
    if (performance.now() > deadline)
      throw new Error(`not in Redis after ${failoverMs} ms: ${JSON.stringify(checks)}`)
    await sleep(pollMs)
  }
}
