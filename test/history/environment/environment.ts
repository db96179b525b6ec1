import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateSecrets } from '../../../dev/secrets.ts'
import { migrate } from '../../../origin/db/migrate.ts'
import { databaseUrl } from '../../../tools/servers/postgres/database-url.ts'
import { startFailoverPostgres } from '../../../tools/servers/postgres/failover-postgres.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../../../tools/servers/process/temporary-folder.ts'
import { startRedisCluster } from '../../../tools/servers/redis/redis-cluster.ts'
import { highLimits } from '../../support/high-limits.ts'
import { createTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { raiseQuotas } from './database-work.ts'
import { startOrdersUpstream } from './orders-upstream.ts'
import { startOriginChoice } from './origin-choice.ts'
import { announceProxies } from './redis-proxies.ts'
import { type SupervisedService, superviseService } from './supervised-service.ts'

/** Settings of the origins that the checker knows, too. */
export const originSettings = {
  graceSeconds: 10,
  lateReplays: 2,
  lockoutTries: 5,
  lockoutSeconds: 20,
}

/** A standby's queries lag behind by so much: a decision from a standby would be a wrong one. */
const applyDelaySeconds = 2

const database = 'gatehouse'
const gatewayCount = 3

interface EnvironmentOptions {
  /** A file that each origin loads before its own, to replace a part of it. */
  originPreload?: string | undefined
  onCrash: (service: string, lastLines: string) => void
}

export type Environment = Awaited<ReturnType<typeof startEnvironment>>

/**
 * Gatehouse as in production, each part a process: gateways, origins, PostgreSQL with a synchronous
 * standby, and a Redis Cluster. Each connection between two parts leads through a proxy, and all
 * ports are on loopback, below those that the system gives to clients.
 */
export async function startEnvironment({ originPreload, onCrash }: EnvironmentOptions) {
  const closers: (() => Promise<unknown>)[] = []
  async function close(): Promise<void> {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  async function openProxy(target: Parameters<typeof createTcpProxy>[0]): Promise<TcpProxy> {
    const proxy = await createTcpProxy(target, await findFreePort())
    closers.push(proxy.close)
    return proxy
  }
  const local = (port: number) => ({ host: '127.0.0.1', port })

  try {
    const folder = await createTemporaryFolder('drill')
    closers.push(() => removeFolder(folder))

    const replicationLinks: TcpProxy[] = []
    const postgres = await startFailoverPostgres({
      applyDelaySeconds,
      openLink: async (target) => {
        const link = await openProxy(target)
        replicationLinks.push(link)
        return link.port
      },
    })
    closers.push(postgres.stop)
    const redis = await startRedisCluster()
    closers.push(redis.stop)
    const redisLinks = await Promise.all(redis.nodes.map(({ port }) => openProxy(local(port))))
    const redisProxies = announceProxies(redis.nodes, redisLinks)
    await redisProxies.announceAll()

    await postgres.createDatabase(database)
    await migrate(databaseUrl(postgres.primary().url, database))
    await raiseQuotas(databaseUrl(postgres.primary().url, database))

    const upstreamPort = await findFreePort()
    const orders = await startOrdersUpstream(upstreamPort)
    closers.push(orders.stop)
    const policyFile = join(folder, 'policy.yaml')
    await writeFile(
      policyFile,
      'routes: [{ method: POST, path: /v1/orders, upstream: orders, who: user, limits: [user] }]\n',
    )

    const variables: Record<string, string> = {
      ...(await generateSecrets()),
      ...highLimits,
      PATH: process.env.PATH ?? '',
      NODE_ENV: 'test',
      LOG_LEVEL: 'warn',
      REDIS_URL: `redis://${redisLinks.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
      GATEWAY_REPLICAS: `${gatewayCount}`,
      POLICY_FILE: policyFile,
      DRAIN_DELAY_SECONDS: '0',
      DRAIN_SECONDS: '5',
      DATABASE_POOL_MAX: '10',
      // Shorter than in production, so that a drill of minutes sees many ends of a fault.
      DATABASE_STATEMENT_SECONDS: '5',
      DATABASE_CONNECT_SECONDS: '3',
      PASSWORD_HASH_COST: '10',
      // Tokens outlive the drill, so that only the end of a session makes one invalid.
      ACCESS_TOKEN_SECONDS: '3600',
      SESSIONS_PER_USER: '1000',
      REFRESH_GRACE_SECONDS: `${originSettings.graceSeconds}`,
      REFRESH_LATE_REPLAYS: `${originSettings.lateReplays}`,
      LOCKOUT_TRIES: `${originSettings.lockoutTries}`,
      LOCKOUT_SECONDS: `${originSettings.lockoutSeconds}`,
      LOCKOUT_WINDOW_SECONDS: `${originSettings.lockoutSeconds}`,
    }

    async function supervise(
      name: string,
      entry: string,
      port: number,
      more: Record<string, string>,
      preload?: string,
    ) {
      const service = await superviseService({
        name,
        entry,
        preload,
        port,
        environment: { ...variables, ...more },
        onCrash: (lastLines) => onCrash(name, lastLines),
      })
      closers.push(service.stop)
      return service
    }

    const startOrigin = async (number: number) => {
      const databaseLinks = await Promise.all(postgres.nodes.map((node) => openProxy(() => local(node.port))))
      const hosts = databaseLinks.map(({ port }) => `127.0.0.1:${port}`).join(',')
      const port = await findFreePort()
      const own = {
        DATABASE_URL: `postgres://postgres@${hosts}/${database}`,
        ORIGIN_PORT: `${port}`,
      }
      const service = await supervise(`origin ${number}`, 'origin/main.ts', port, own, originPreload)
      return { ...service, databaseLinks }
    }
    const origins = await Promise.all([1, 2].map(startOrigin))
    const choice = startOriginChoice(origins)
    closers.push(choice.stop)

    const startGateway = async (_: unknown, index: number) => {
      const originLink = await openProxy(() => local(choice.next().port))
      const ordersLink = await openProxy(local(upstreamPort))
      const port = await findFreePort()
      const service = await supervise(`gateway ${index + 1}`, 'gateway/adapters/node/main.ts', port, {
        GATEWAY_PORT: `${port}`,
        ORIGIN_URL: `http://127.0.0.1:${originLink.port}`,
        UPSTREAMS: JSON.stringify({ orders: `http://127.0.0.1:${ordersLink.port}` }),
      })
      const clientLink = await openProxy(local(port))
      return { ...service, originLink, ordersLink, clientLink }
    }
    const gateways = await Promise.all(Array.from({ length: gatewayCount }, startGateway))

    return {
      gateways,
      origins,
      postgres,
      replicationLinks,
      redis,
      redisLinks,
      redisProxies,
      orders,
      /** URL of the database at the primary, without a proxy. */
      databaseUrl: () => databaseUrl(postgres.primary().url, database),
      /** Resolves with whether all services are ready. */
      isReady: async () =>
        (
          await Promise.all(
            [...gateways, ...origins].map((service: Pick<SupervisedService, 'isReady'>) => service.isReady()),
          )
        ).every(Boolean),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
