import { createPublicKey } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { generateSecrets, type Secrets } from '../../../dev/secrets.ts'
import { createEncryption } from '../../../origin/keys/encryption.ts'
import { insertFirstSigningKey } from '../../../origin/keys/queries.ts'
import { audience, createIssuer, type Issuer } from '../../../test/support/gateway/issuer.ts'
import { startChildServer } from '../../../tools/servers/process/child-server.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../../../tools/servers/process/temporary-folder.ts'
import { type PrivateRedis, startPrivateRedis } from '../../../tools/servers/redis/redis.ts'
import { openDatabase } from '../../accounts/environment/seed.ts'
import { type DurablePostgres, startDurablePostgres } from '../../common/durable-postgres.ts'
import { machineFacts } from '../../common/machine.ts'
import { issuerUrl } from './tokens.ts'
import { startUpstream, type Upstream } from './upstream.ts'

/** The servers around every contender. */
export interface BenchEnvironment {
  issuer: Issuer
  /** The issuer's public key in PEM. */
  publicKey: string
  secrets: Secrets
  origin: { url: string; pid: number }
  postgres: DurablePostgres
  /** URL of the origin's database. */
  database: string
  redis: PrivateRedis
  upstream: Upstream
  /** For files. */
  folder: string
  facts: Record<string, string | number>
  stop(): Promise<void>
}

const originMain = fileURLToPath(new URL('../../../origin/main.ts', import.meta.url))

/**
 * Starts Redis, the upstream, and a real origin on a real PostgreSQL whose signing key we know, so
 * that we sign its users' tokens.
 */
export async function startBenchEnvironment(): Promise<BenchEnvironment> {
  const stops: (() => Promise<void>)[] = []
  async function stop() {
    for (const stopOne of stops.reverse().splice(0)) await stopOne()
  }

  try {
    const folder = await createTemporaryFolder('bench')
    stops.push(() => removeFolder(folder))
    const redis = await startPrivateRedis()
    stops.push(() => redis.stop())
    const upstream = await startUpstream()
    stops.push(() => upstream.stop())
    const postgres = await startDurablePostgres()
    stops.push(() => postgres.stop())

    const secrets = await generateSecrets()
    const issuer = await createIssuer()
    const database = await postgres.createDatabase('bench_gateway')
    const facts = await prepareDatabase(database, secrets, issuer)
    const origin = await startOrigin(database, secrets, redis.url)
    stops.push(origin.stop)

    return {
      issuer,
      publicKey: createPublicKey({ key: { ...issuer.publicJwk }, format: 'jwk' })
        .export({ type: 'spki', format: 'pem' })
        .toString(),
      secrets,
      origin,
      postgres,
      database,
      redis,
      upstream,
      folder,
      facts,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function prepareDatabase(url: string, secrets: Secrets, { publicJwk, privateJwk }: Issuer) {
  const sql = await openDatabase(url)
  try {
    const encryption = createEncryption(Buffer.from(secrets.KEY_ENCRYPTION_KEY, 'base64'))
    const encryptedPrivateJwk = encryption.encrypt(publicJwk.kid, JSON.stringify(privateJwk))
    await insertFirstSigningKey(sql, { kid: publicJwk.kid, publicJwk, encryptedPrivateJwk })
    return await machineFacts(sql)
  } finally {
    await sql.end()
  }
}

async function startOrigin(database: string, secrets: Secrets, redisUrl: string) {
  const folder = await createTemporaryFolder('origin')
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const server = await startChildServer({
    command: process.execPath,
    args: [originMain],
    folder,
    env: {
      ...secrets,
      NODE_ENV: 'test',
      LOG_LEVEL: 'warn',
      DATABASE_URL: database,
      REDIS_URL: redisUrl,
      ORIGIN_PORT: `${port}`,
      ISSUER_URL: issuerUrl,
      ACCESS_TOKEN_AUDIENCE: audience,
    },
    endSignal: 'SIGTERM',
    ping: async () => {
      if (!(await fetch(`${url}/ready`)).ok) throw new Error('not ready')
    },
  })
  return {
    url,
    pid: server.pid,
    async stop() {
      await server.end()
      await removeFolder(folder)
    },
  }
}
