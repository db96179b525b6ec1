import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import connect from 'postgres'
import { startDurablePostgres } from '../../bench/common/durable-postgres.ts'
import { gatewayNodeOptions } from '../../bench/common/gateway-args.ts'
import { machineFacts } from '../../bench/common/machine.ts'
import { familyProcessorMs } from '../../bench/common/processor-time.ts'
import { redisReads } from '../../bench/common/redis-reads.ts'
import { familyResidentBytes } from '../../bench/common/resident-memory.ts'
import { generateSecrets } from '../../dev/secrets.ts'
import { originVariables } from '../../origin/config.ts'
import { createCommandDatabase } from '../../origin/db/database.ts'
import { migrate } from '../../origin/db/migrate.ts'
import { readConfig } from '../../shared/config.ts'
import { createLog } from '../../shared/node/log.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { run } from '../../tools/servers/process/run.ts'
import { createTemporaryFolder, removeFolder } from '../../tools/servers/process/temporary-folder.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { signIn } from './accounts.ts'
import { startBalancer } from './balancer.ts'
import { startControl } from './control.ts'
import { type Service, type ServiceOptions, startService } from './process.ts'

interface LoadTestEnvironmentOptions {
  /** Seeded accounts, of which about one in a hundred is disabled. */
  users: number
  gateways: number
  /** Variables over the environment's own. */
  environment?: Record<string, string>
  /**
   * One gateway without the balancer before it, and a product that costs next to nothing: the two
   * would cost as much as the gateway.
   */
  isLean?: boolean
  /** Told how far it is. */
  say: (line: string) => void
}

/** Totals so far of a process with its children, such as PostgreSQL's, or of the machine. */
export interface Part {
  name: string
  processor_ms: number
  resident_bytes: number
}

export type LoadTestEnvironment = Awaited<ReturnType<typeof startLoadTestEnvironment>>

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Policy rows that a product adds for its own service. */
const productRow = {
  method: 'GET',
  upstream: 'product',
  who: 'user',
  permissions: { all: ['dashboard.read'] },
}
/** Both limits, as in the benchmark beside other gateways. */
const limitsOfFeed = (isLean: boolean) => (isLean ? ['user', 'address'] : ['user'])
const policyOf = (isLean: boolean) => ({
  routes: [
    { ...productRow, path: '/v1/feed', keys: true, limits: limitsOfFeed(isLean) },
    { ...productRow, path: '/v1/insights', limits: ['user'], features: ['premium_dashboard'] },
  ],
})

/**
 * Gatehouse as in production, on one machine: PostgreSQL with fsync, Redis, an origin, a product's
 * service, and gateways behind a balancer, each as a process, with seeded accounts that are signed
 * in.
 */
export async function startLoadTestEnvironment({
  users,
  gateways: gatewayCount,
  environment = {},
  isLean = false,
  say,
}: LoadTestEnvironmentOptions) {
  const parts: { stop: () => Promise<unknown> }[] = []
  async function keep<T extends { stop: () => Promise<unknown> }>(starting: Promise<T>): Promise<T> {
    const part = await starting
    parts.push(part)
    return part
  }
  async function stop(): Promise<void> {
    for (let part = parts.pop(); part; part = parts.pop()) await part.stop()
  }

  try {
    say('Environment: PostgreSQL and Redis ...')
    const folder = await createTemporaryFolder('k6')
    parts.push({ stop: () => removeFolder(folder) })
    const postgres = await keep(startDurablePostgres({ countsStatements: true }))
    const redis = await keep(startPrivateRedis())
    const statements = connect(postgres.url, { max: 1 })
    parts.push({ stop: () => statements.end() })
    const databaseUrl = await postgres.createDatabase('gatehouse_k6')
    await migrate(databaseUrl)

    const [publicPort, originPort, productPort] = [
      await findFreePort(),
      await findFreePort(),
      await findFreePort(),
    ]
    const policyFile = join(folder, 'policy.json')
    await writeFile(policyFile, JSON.stringify(policyOf(isLean)))
    const variables: Record<string, string> = {
      ...(await generateSecrets()),
      NODE_ENV: 'test',
      LOG_LEVEL: 'warn',
      PATH: process.env.PATH ?? '',
      DATABASE_URL: databaseUrl,
      REDIS_URL: redis.url,
      ORIGIN_PORT: `${originPort}`,
      ORIGIN_URL: `http://127.0.0.1:${originPort}`,
      UPSTREAMS: JSON.stringify({ product: `http://127.0.0.1:${productPort}` }),
      POLICY_FILE: policyFile,
      ISSUER_URL: `http://127.0.0.1:${publicPort}`,
      // The balancer forwards bytes, so k6 writes the client address, as the last trusted proxy
      // would.
      TRUSTED_PROXY_HOPS: '1',
      GATEWAY_REPLICAS: `${gatewayCount}`,
      PASSWORD_HASH_COST: '10',
      ...environment,
    }
    const command = (entry: string, ...args: string[]) =>
      run(process.execPath, [join(root, entry), ...args], { env: variables, cwd: folder })

    say(`Environment: ${users} accounts ...`)
    const seeded = await command('dev/seed/command.ts', '--users', `${users}`)
    const password = /log in with (\S+)$/m.exec(seeded)?.[1] ?? ''
    const config = readConfig(originVariables, variables)
    const sql = createCommandDatabase(databaseUrl, createLog('k6', 'warn'))
    parts.push({ stop: () => sql.end() })
    const [admin] = await sql<[{ email: string }]>`
      select email from user_accounts where status = 'active' order by created_at limit 1`
    await command('origin/accounts-command/command.ts', 'role', admin.email, 'superadmin')
    const usersFile = join(folder, 'users')
    say(`Environment: ${await signIn({ sql, config, users, file: usersFile })} of them signed in ...`)

    const service = (name: string, entry: string, port: number, more: Partial<ServiceOptions> = {}) =>
      keep(startService({ name, entry, port, args: [`${port}`], environment: variables, ...more }))
    say('Environment: the services ...')
    const origin = await service('origin', 'origin/main.ts', originPort)
    const productEntry = isLean ? 'k6/environment/lean-product.ts' : 'k6/environment/product.ts'
    const product = await service('product', productEntry, productPort)
    const gateways: Service[] = []
    for (let number = 1; number <= gatewayCount; number++) {
      const port = isLean ? publicPort : await findFreePort()
      const name = `gateway ${number}`
      gateways.push(
        await service(name, 'gateway/adapters/node/main.ts', port, {
          nodeOptions: gatewayNodeOptions(),
          environment: { ...variables, GATEWAY_PORT: `${port}` },
        }),
      )
    }
    const balancer = isLean ? undefined : await keep(startBalancer(gateways, publicPort))
    for (const gateway of gateways) await balancer?.untilReady(gateway.name)

    // A gateway may be several processes, and PostgreSQL is.
    const readParts = (): Part[] =>
      [
        ...gateways,
        origin,
        product,
        { name: 'redis', pid: redis.pid },
        { name: 'postgres', pid: postgres.pid },
      ].map(({ name, pid }) => ({
        name,
        processor_ms: familyProcessorMs(pid),
        resident_bytes: familyResidentBytes(pid),
      }))

    async function restartGateway(gateway: Service): Promise<void> {
      await gateway.restart()
      await balancer?.untilReady(gateway.name)
    }
    const control = await keep(
      startControl({
        'GET /parts': readParts,
        'GET /cut-requests': () => balancer?.cutRequests() ?? 0,
        'POST /redis/kill': () => redis.kill(),
        'POST /redis/restart': () => redis.restart(),
        'POST /keys/rotate': () => command('origin/keys/command.ts', 'rotate'),
        ...Object.fromEntries(
          gateways.map((gateway) => [
            `POST /${gateway.name.replace(' ', '/')}/restart`,
            () => restartGateway(gateway),
          ]),
        ),
      }),
    )

    return {
      kind: 'processes' as const,
      /** Settings of a scenario, as variables of k6. */
      environment: {
        GATEWAY_URL: `http://127.0.0.1:${publicPort}`,
        CONTROL_URL: control.url,
        USERS_FILE: usersFile,
        PASSWORD: password,
        ADMIN_EMAIL: admin.email,
        GATEWAYS: `${gatewayCount}`,
      },
      readParts,
      facts: () => machineFacts(statements),
      productUrl: `http://127.0.0.1:${productPort}`,
      /** Statements that PostgreSQL has executed for all clients. */
      async countStatements(): Promise<number> {
        const [row] = await statements<[{ calls: number }]>`
          select coalesce(sum(calls), 0)::int as calls from pg_stat_statements where toplevel`
        return row.calls
      },
      /**
       * Reads of Redis from its connections: one script or several commands sent together are one
       * read.
       */
      countRedisReads: () => redisReads(redis.url),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
