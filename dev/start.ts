import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, parseEnv } from 'node:util'
import { createDatabase } from '../origin/database.ts'
import { migrate } from '../origin/migrate.ts'
import { createPasswordHasher } from '../origin/passwords/hasher.ts'
import { createWorkerPool } from '../origin/passwords/worker-pool.ts'
import { ConfigError, readConfig } from '../shared/config.ts'
import { demoAccounts, seedDemoAccounts } from './demo.ts'
import { servicePoolMax, startEmbeddedPostgres } from './embedded-postgres.ts'
import { requireFreePort, startService } from './service.ts'
import { readState } from './state.ts'

/**
 * `npm start`: the whole of Gatehouse on one machine, to look at and to develop against.
 * `npm start -- --folder DIR` keeps database and secrets in DIR instead of .gatehouse.
 */

const root = fileURLToPath(new URL('..', import.meta.url))
const { folder } = parseArgs({
  options: { folder: { type: 'string', default: join(root, '.gatehouse') } },
}).values

const say = (line: string) => process.stdout.write(`${line}\n`)
const step = (line: string) => say(`  ${line}`)

/** Stopped in reverse order of their start. */
const running: { stop: () => Promise<void> }[] = []

let stopping = false
async function stop(exitCode: number) {
  if (stopping) return
  stopping = true
  for (const part of running.reverse()) await part.stop()
  process.exit(exitCode)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    say('\nStopping.')
    stop(0)
  })
}

try {
  await start()
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`)
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
  const environment: NodeJS.ProcessEnv = { LOG_LEVEL: 'warn', ...state.secrets, ...given }

  if (!environment.DATABASE_URL) {
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
      'DATABASE_URL',
      'REDIS_URL',
      'PASSWORD_DIGEST_KEY',
      'PASSWORD_HASH_COST',
    ],
    environment,
    Object.keys(file),
  )
  const url = (port: number) => `http://${config.HOST}:${port}`
  environment.ORIGIN_URL ??= url(config.ORIGIN_PORT)
  environment.REPORTS_URL ??= url(config.REPORTS_PORT)
  environment.ISSUER_URL ??= url(config.GATEWAY_PORT)
  for (const port of [config.GATEWAY_PORT, config.ORIGIN_PORT, config.REPORTS_PORT]) {
    await requireFreePort(config.HOST, port)
  }

  const applied = await migrate(config.DATABASE_URL)
  step(
    `Postgres: ${applied.length > 0 ? `applied migrations ${applied.join(', ')}` : 'schema is the newest'}`,
  )
  await addDemoAccounts(config, state.demoPassword)
  step(`Limits: counted in ${config.REDIS_URL ? 'Redis' : 'memory, as there is no REDIS_URL'}`)

  for (const [name, entry, port] of [
    ['origin', 'origin/main.ts', config.ORIGIN_PORT],
    ['reports', 'examples/reports/main.ts', config.REPORTS_PORT],
    ['gateway', 'gateway/adapters/node/main.ts', config.GATEWAY_PORT],
  ] as const) {
    step(`${name}: starting ...`)
    const service = await startService({
      name,
      entry: join(root, entry),
      environment,
      liveUrl: `${url(port)}/live`,
      onUnexpectedEnd: (how) =>
        say(`\n${name} ended (${how}). The others go on without it; Ctrl-C and npm start bring it back.`),
    })
    running.push(service)
  }
  welcome(url(config.GATEWAY_PORT), url(config.ORIGIN_PORT), state.demoPassword)
}

async function addDemoAccounts(
  config: { DATABASE_URL: string; PASSWORD_DIGEST_KEY: Uint8Array; PASSWORD_HASH_COST: number },
  password: string,
) {
  const sql = createDatabase({
    url: config.DATABASE_URL,
    poolMax: 1,
    idleSeconds: 5,
    connectSeconds: 10,
    statementSeconds: 30,
    log: { debug() {}, info() {}, warn() {}, error() {} },
  })
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  const passwords = await createPasswordHasher({
    pool,
    digestKey: config.PASSWORD_DIGEST_KEY,
    cost: config.PASSWORD_HASH_COST,
  })
  const added = await seedDemoAccounts(sql, passwords, password)
  step(`Demo accounts: ${added.length > 0 ? `added ${added.length}` : 'there already'}`)
  await pool.close()
  await sql.end()
}

function welcome(gateway: string, origin: string, password: string) {
  const accounts = demoAccounts.map(
    ({ email, role, plan }) => `    ${email.padEnd(24)} ${role.padEnd(12)} ${plan}`,
  )
  say(`
Gatehouse is up.

  Gateway  ${gateway}   what frontends call
  Origin   ${origin}   believes the gateway alone

  Demo accounts, all with the password ${password}
    ${'email'.padEnd(24)} ${'role'.padEnd(12)} plan
${accounts.join('\n')}

  Try first:

    curl -s ${gateway}/auth/login -H 'content-type: application/json' \\
      -d '{"email":"subscriber@example.com","password":"${password}"}'

Ctrl-C stops it; the data stays in ${folder}.`)
}
