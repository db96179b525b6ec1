import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, parseEnv } from 'node:util'
import { createCommandDatabase } from '../origin/db/database.ts'
import { migrate } from '../origin/db/migrate.ts'
import type { Sql } from '../origin/db/types.ts'
import { createPasswordHasher } from '../origin/passwords/hasher.ts'
import { createWorkerPool } from '../origin/passwords/worker-pool.ts'
import { ConfigError, readConfig } from '../shared/config.ts'
import { createLog } from '../shared/node/log.ts'
import { type DemoAccount, seedDemoAccounts, selectDemoAccounts } from './demo.ts'
import { demoPolicyFile, missingDemoNames } from './demo-service.ts'
import { servicePoolMax, startEmbeddedPostgres } from './embedded-postgres.ts'
import { requireFreePorts } from './free-port.ts'
import { localUrl } from './local-url.ts'
import { onParentGone } from './parent-watch.ts'
import { exampleCatalogue, seedCatalogue } from './seed/catalogue.ts'
import { startService } from './service.ts'
import { readState, writeCommandEnvironment } from './state.ts'
import { welcome } from './welcome.ts'

/**
 * `npm start`: the whole of Gatehouse on one machine, to look at and to develop against.
 * `npm start -- --folder DIR` keeps database and secrets in DIR instead of .gatehouse.
 * `npm start -- --catalogue FILE` sets a new database up with the roles, permissions, plans and
 * features of FILE instead of the example's.
 */

const root = fileURLToPath(new URL('..', import.meta.url))
const { folder, catalogue } = parseArgs({
  options: {
    folder: { type: 'string', default: join(root, '.gatehouse') },
    catalogue: { type: 'string', default: exampleCatalogue },
  },
}).values

const say = (line: string) => process.stdout.write(`${line}\n`)
const step = (line: string) => say(`  ${line}`)

/** Services that run or are starting. */
const running: { stop: () => Promise<void> }[] = []

let stopping = false

/** Stops in reverse order of the start; what fails to stop keeps nothing else running. */
async function stop(exitCode: number) {
  if (stopping) return
  stopping = true
  for (let part = running.pop(); part; part = running.pop()) {
    await part.stop().catch((error) => complain(error))
  }
  process.exit(exitCode)
}

/** From a service's port to that of its metrics, unless told otherwise. */
const metricsPortDistance = 1000

function complain(error: unknown) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    say('\nStopping.')
    void stop(0)
  })
}

// Started by hand, the process may outlive its shell (nohup); npm's child has no life of its own.
if (process.env.npm_lifecycle_event === 'start') onParentGone(() => void stop(0))

try {
  await start()
} catch (error) {
  if (!stopping) complain(error)
  await stop(error instanceof ConfigError ? 78 : 1)
}

async function start() {
  say('Starting Gatehouse.')
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {}
  const given = { ...file, ...process.env }
  if (given.NODE_ENV === 'production') {
    throw new ConfigError([
      'npm start is for development: in production run npm run gateway and npm run origin',
    ])
  }
  const state = await readState(folder)
  const environment: NodeJS.ProcessEnv = {
    LOG_LEVEL: 'warn',
    DRAIN_DELAY_SECONDS: '0',
    ...state.secrets,
    ...given,
  }

  const isEmbedded = !environment.DATABASE_URL
  if (isEmbedded) {
    step('Postgres: embedded (the first start takes some seconds) ...')
    const database = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
    running.push(database)
    environment.DATABASE_URL = database.url
    environment.DATABASE_POOL_MAX = String(servicePoolMax)
  }
  const config = readConfig(
    [
      'HOST',
      'GATEWAY_PORT',
      'ORIGIN_PORT',
      'REPORTS_PORT',
      'POLICY_FILE',
      'UPSTREAMS',
      'METRICS_HOST',
      'GATEWAY_METRICS_PORT',
      'ORIGIN_METRICS_PORT',
      'DATABASE_URL',
      'REDIS_URL',
      'PASSWORD_DIGEST_KEY',
      'PASSWORD_HASH_COST',
    ],
    environment,
    Object.keys(file),
  )
  const url = (port: number) => localUrl(config.HOST, port)
  environment.ORIGIN_URL ??= url(config.ORIGIN_PORT)
  // The demo service runs until a policy file names services of the reader's own.
  const mayHaveDemoService = config.POLICY_FILE === undefined
  environment.ISSUER_URL ??= url(config.GATEWAY_PORT)
  const {
    GATEWAY_METRICS_PORT: gatewayMetricsPort = config.GATEWAY_PORT + metricsPortDistance,
    ORIGIN_METRICS_PORT: originMetricsPort = config.ORIGIN_PORT + metricsPortDistance,
  } = config
  environment.GATEWAY_METRICS_PORT = String(gatewayMetricsPort)
  environment.ORIGIN_METRICS_PORT = String(originMetricsPort)
  const services = [
    { name: 'origin', entry: 'origin/main.ts', port: config.ORIGIN_PORT },
    ...(mayHaveDemoService
      ? [{ name: 'reports', entry: 'examples/reports/main.ts', port: config.REPORTS_PORT }]
      : []),
    { name: 'gateway', entry: 'gateway/adapters/node/main.ts', port: config.GATEWAY_PORT },
  ]
  await requireFreePorts([
    ...services.map(({ name, port }) => ({
      hostname: config.HOST,
      port,
      variables: { host: 'HOST', port: `${name.toUpperCase()}_PORT` } as const,
    })),
    ...[originMetricsPort, gatewayMetricsPort].map((port, index) => ({
      hostname: config.METRICS_HOST,
      port,
      variables: {
        host: 'METRICS_HOST',
        port: index === 0 ? 'ORIGIN_METRICS_PORT' : 'GATEWAY_METRICS_PORT',
      } as const,
    })),
  ])

  await writeCommandEnvironment(folder, environment, ['DATABASE_URL', ...Object.keys(state.secrets)])
  const applied = await migrate(config.DATABASE_URL)
  const { hostname, pathname } = new URL(config.DATABASE_URL)
  step(
    `Postgres: ${isEmbedded ? '' : `${hostname}${pathname}, `}${applied.length > 0 ? `applied migrations ${applied.join(', ')}` : 'schema is the newest'}`,
  )
  if (applied.includes(1)) await withSql(config.DATABASE_URL, (sql) => seedCatalogue(sql, catalogue))
  // A database that somebody else made may be anybody's: no account of ours has a place in it.
  const hasDemoAccounts = isEmbedded || applied.includes(1)
  const accounts = hasDemoAccounts ? await addDemoAccounts(config, state.demoPassword) : []
  const missing = mayHaveDemoService ? await withSql(config.DATABASE_URL, missingDemoNames) : []
  const hasDemoService = mayHaveDemoService && missing.length === 0
  if (hasDemoService) {
    environment.POLICY_FILE = demoPolicyFile
    environment.UPSTREAMS = JSON.stringify({ reports: url(config.REPORTS_PORT), ...config.UPSTREAMS })
  } else if (mayHaveDemoService) step(`Demo service: left out, as the catalogue lacks ${missing.join(', ')}`)
  step(`Limits: counted in ${config.REDIS_URL ? 'Redis' : 'memory, as there is no REDIS_URL'}`)

  for (const { name, entry, port } of services) {
    if (stopping) return
    if (name === 'reports' && !hasDemoService) continue
    step(`${name}: starting ...`)
    const service = startService({
      name,
      entry: join(root, entry),
      environment,
      liveUrl: `${url(port)}/live`,
      onUnexpectedEnd: (how) => {
        if (!stopping) complain(new Error(`${name} ended (${how}). The others are stopped too.`))
        void stop(1)
      },
    })
    running.push(service)
    await service.listening
  }
  say(
    welcome({
      gateway: url(config.GATEWAY_PORT),
      origin: url(config.ORIGIN_PORT),
      metrics: [gatewayMetricsPort, originMetricsPort].map(
        (port) => `${localUrl(config.METRICS_HOST, port)}/metrics`,
      ),
      accounts,
      demoPassword: state.demoPassword,
      folder,
    }),
  )
}

async function withSql<Result>(databaseUrl: string, work: (sql: Sql) => Promise<Result>): Promise<Result> {
  const sql = createCommandDatabase(databaseUrl, createLog('start', 'warn'))
  try {
    return await work(sql)
  } finally {
    await sql.end()
  }
}

async function addDemoAccounts(
  config: { DATABASE_URL: string; PASSWORD_DIGEST_KEY: Uint8Array; PASSWORD_HASH_COST: number },
  password: string,
): Promise<DemoAccount[]> {
  const sql = createCommandDatabase(config.DATABASE_URL, createLog('start', 'warn'))
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  const passwords = await createPasswordHasher({
    pool,
    digestKey: config.PASSWORD_DIGEST_KEY,
    cost: config.PASSWORD_HASH_COST,
  })
  const added = await seedDemoAccounts(sql, passwords, password)
  const accounts = await selectDemoAccounts(sql)
  const already = accounts.length > 0 ? 'there already' : 'none, as the catalogue has other roles and plans'
  step(`Demo accounts: ${added.length > 0 ? `added ${added.length}` : already}`)
  await pool.close()
  await sql.end()
  return accounts
}
