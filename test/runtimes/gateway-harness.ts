import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { seedDemoAccounts } from '../../dev/demo.ts'
import { generateSecrets } from '../../dev/secrets.ts'
import { startService } from '../../dev/service.ts'
import { createCommandDatabase } from '../../origin/db/database.ts'
import { migrate } from '../../origin/db/migrate.ts'
import { createEncryption } from '../../origin/keys/encryption.ts'
import { insertFirstSigningKey } from '../../origin/keys/queries.ts'
import { createPasswordHasher } from '../../origin/passwords/hasher.ts'
import { createWorkerPool } from '../../origin/passwords/worker-pool.ts'
import { generateKey } from '../../shared/auth/jwk.ts'
import { type RunningServer, startPostgres } from '../../tools/servers/postgres/postgres.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { createCapturedLog } from '../support/captured-log.ts'
import { startUpstream } from './upstream.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const local = (port: number) => `http://127.0.0.1:${port}`

/** bcrypt at its least: passwords are not what this suite is about. */
const hashCost = 10

/**
 * The key that the origin signs with. The suite has it too, so that it can sign what an origin
 * never would.
 */
type SigningKey = Awaited<ReturnType<typeof generateKey>>

export type GatewayHarness = Awaited<ReturnType<typeof startGatewayHarness>>

/**
 * The servers behind every gateway of a run, on each runtime: Postgres, the given Redis, the
 * origin, the demo service, the suite's upstream.
 */
export async function startGatewayHarness(redis: RunningServer) {
  const running: { stop: () => Promise<unknown> }[] = []
  async function stop() {
    for (const part of running.splice(0).reverse()) await part.stop()
  }

  async function started<T extends { stop: () => Promise<unknown> }>(starting: Promise<T>): Promise<T> {
    const part = await starting
    running.push(part)
    return part
  }

  try {
    const [postgres, upstream] = await Promise.all([started(startPostgres()), started(startUpstream())])
    const secrets = await generateSecrets()
    const [originPort, reportsPort] = [await findFreePort(), await findFreePort()]
    const environment = {
      ...secrets,
      LOG_LEVEL: 'warn',
      DATABASE_URL: postgres.url,
      DATABASE_POOL_MAX: '10',
      REDIS_URL: redis.url,
      PASSWORD_HASH_COST: String(hashCost),
      ORIGIN_PORT: String(originPort),
      ORIGIN_URL: local(originPort),
      REPORTS_PORT: String(reportsPort),
      UPSTREAMS: JSON.stringify({
        reports: local(reportsPort),
        upstream: local(upstream.port),
        gone: local(await findFreePort()),
      }),
    }
    await migrate(postgres.url)
    const filled = await fill(environment)

    for (const [name, entry, port] of [
      ['origin', 'origin/main.ts', originPort],
      ['reports', 'examples/reports/main.ts', reportsPort],
    ] as const) {
      const service = startService({
        name,
        entry: join(root, entry),
        environment,
        liveUrl: `${local(port)}/live`,
        onUnexpectedEnd: (how) => process.stderr.write(`${name} ended (${how})\n`),
      })
      running.push(service)
      await service.listening
    }
    return { ...filled, environment, upstreamPort: upstream.port, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The demo accounts and the first signing key. */
async function fill(environment: {
  DATABASE_URL: string
  PASSWORD_DIGEST_KEY: string
  KEY_ENCRYPTION_KEY: string
}) {
  const demoPassword = 'correct horse battery'
  const sql = createCommandDatabase(environment.DATABASE_URL, createCapturedLog('origin').log)
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  try {
    const signingKey: SigningKey = await generateKey()
    const { kid } = signingKey.publicJwk
    const encryption = createEncryption(Buffer.from(environment.KEY_ENCRYPTION_KEY, 'base64'))
    await insertFirstSigningKey(sql, {
      kid,
      publicJwk: signingKey.publicJwk,
      encryptedPrivateJwk: encryption.encrypt(kid, JSON.stringify(signingKey.privateJwk)),
    })
    const digestKey = Buffer.from(environment.PASSWORD_DIGEST_KEY, 'base64')
    const passwords = await createPasswordHasher({ pool, digestKey, cost: hashCost })
    await seedDemoAccounts(sql, passwords, demoPassword)
    return { signingKey, demoPassword }
  } finally {
    await pool.close()
    await sql.end()
  }
}
