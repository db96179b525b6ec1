import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { generateSecrets } from '../../../dev/secrets.ts'
import { startService } from '../../../k6/environment/process.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../../../tools/servers/process/temporary-folder.ts'
import { startPrivateRedis } from '../../../tools/servers/redis/redis.ts'
import { createTcpProxy } from '../tcp-proxy.ts'
import { createRegionClient } from './region-client.ts'

interface RegionsOptions {
  /** An empty database with the newest schema. */
  databaseUrl: string
  /** From a remote region to the home region and back. */
  roundTripMs: number
  /** Variables of all services over the environment's own. */
  environment?: Record<string, string>
}

export type Regions = Awaited<ReturnType<typeof startRegions>>
export type Region = Regions['home']

/** A row of a service in the region of its gateway. */
const policy = {
  routes: [
    {
      method: 'GET',
      path: '/v1/local',
      upstream: 'local',
      who: 'user',
      permissions: { all: ['dashboard.read'] },
      limits: ['user'],
    },
  ],
}

/**
 * Three regions, each with a gateway, a Redis and a service. The home region has the database and
 * two origins, which the others reach by proxies that delay. Each service is a process.
 *
 * `stream` reads the revocation stream of the home region's Redis, `feed` the origin's feed alone.
 */
export async function startRegions({ databaseUrl, roundTripMs, environment = {} }: RegionsOptions) {
  const closers: (() => unknown)[] = []
  async function stop(): Promise<void> {
    for (const close of closers.splice(0).reverse()) await close()
  }

  try {
    const folder = await createTemporaryFolder('regions')
    closers.push(() => removeFolder(folder))
    const policyFile = join(folder, 'policy.json')
    await writeFile(policyFile, JSON.stringify(policy))
    const localPort = await startLocalService(closers)

    const startRedis = async () => {
      const redis = await startPrivateRedis()
      closers.push(redis.stop)
      return redis
    }
    const homeRedis = await startRedis()
    const variables: Record<string, string> = {
      ...(await generateSecrets()),
      NODE_ENV: 'test',
      LOG_LEVEL: 'warn',
      PATH: process.env.PATH ?? '',
      DRAIN_DELAY_SECONDS: '0',
      PASSWORD_HASH_COST: '10',
      TRUSTED_PROXY_HOPS: '1',
      UPSTREAMS: JSON.stringify({ local: `http://127.0.0.1:${localPort}` }),
      POLICY_FILE: policyFile,
      ...environment,
    }

    async function startOrigin(name: string) {
      const port = await findFreePort()
      const origin = await startService({
        name,
        entry: 'origin/main.ts',
        port,
        environment: {
          ...variables,
          DATABASE_URL: databaseUrl,
          REDIS_URL: homeRedis.url,
          ORIGIN_PORT: `${port}`,
        },
      })
      closers.push(origin.stop)
      return origin
    }
    const origins = [await startOrigin('origin-1'), await startOrigin('origin-2')] as const

    /** @param more variables of the gateway */
    async function startRegion(name: string, redis: typeof homeRedis, more: Record<string, string>) {
      const [port, metricsPort] = [await findFreePort(), await findFreePort()]
      const gateway = await startService({
        name,
        entry: 'gateway/adapters/node/main.ts',
        port,
        environment: {
          ...variables,
          REDIS_URL: redis.url,
          GATEWAY_PORT: `${port}`,
          GATEWAY_METRICS_PORT: `${metricsPort}`,
          ...more,
        },
      })
      closers.push(gateway.stop)
      return { name, redis, ...createRegionClient(port, metricsPort) }
    }

    /** The network between a remote region and the home region. */
    async function link(targets: { origin: number; redis: number }) {
      const proxies = {
        origin: await createTcpProxy({ host: '127.0.0.1', port: targets.origin }),
        redis: await createTcpProxy({ host: '127.0.0.1', port: targets.redis }),
      }
      const all = Object.values(proxies)
      for (const proxy of all) {
        proxy.delay(roundTripMs / 2)
        closers.push(proxy.close)
      }
      return {
        originUrl: `http://127.0.0.1:${proxies.origin.port}`,
        redisUrl: `redis://127.0.0.1:${proxies.redis.port}`,
        /** Loses all that is sent, in both directions. */
        cut: () => all.forEach((proxy) => void proxy.silence()),
        /** Refuses connections at once, and resets those that are open. */
        refuse: () => all.forEach((proxy) => void proxy.refuse()),
        restore: () => all.forEach((proxy) => void proxy.restore()),
      }
    }

    const startRemote = async (name: string, revocationSource: 'stream' | 'feed') => {
      const toHome = await link({ origin: origins[1].port, redis: homeRedis.port })
      const region = await startRegion(name, await startRedis(), {
        ORIGIN_URL: toHome.originUrl,
        REVOCATION_REDIS_URL: revocationSource === 'stream' ? toHome.redisUrl : 'none',
      })
      return { ...region, cut: toHome.cut, refuse: toHome.refuse, restore: toHome.restore }
    }

    const home = await startRegion('home', homeRedis, { ORIGIN_URL: `http://127.0.0.1:${origins[0].port}` })
    const stream = await startRemote('stream', 'stream')
    const feed = await startRemote('feed', 'feed')
    for (const region of [home, stream, feed]) await region.untilReady()
    return { home, stream, feed, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** @returns the port of a service that answers each request with 200 */
async function startLocalService(closers: (() => unknown)[]): Promise<number> {
  const server = createServer((_, response) => response.end('{}'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
