import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { startPrivatePostgres } from '../../../tools/servers/postgres/postgres.ts'
import { findPostgresBinaries } from '../../../tools/servers/postgres/postgres-binaries.ts'
import { createCertificates } from '../../../tools/servers/process/certificates.ts'
import { run } from '../../../tools/servers/process/run.ts'
import { startPrivateRedis } from '../../../tools/servers/redis/redis.ts'
import { cacheRights } from '../stacks/data-stack.ts'

const password = 'p4ssw0rdp4ssw0rdp4ssw0rd'

/** As `rds.force_ssl` has it: every user but that of this test is refused without TLS. */
const hostRules = [
  'host all postgres 127.0.0.1/32 trust',
  'hostssl all all 127.0.0.1/32 scram-sha-256',
  'hostnossl all all 127.0.0.1/32 reject',
]

/** PostgreSQL with forced TLS, and Redis with TLS and the user of the template. */
export async function startTlsStores() {
  const certificates = await createCertificates()
  const database = await startPrivatePostgres({
    binaries: await findPostgresBinaries(),
    parameters: { ssl: 'on' },
    prepare: async (dataDir, user) => {
      for (const [from, name] of [
        [certificates.certFile, 'server.crt'],
        [certificates.keyFile, 'server.key'],
      ] as const) {
        await copyFile(from, join(dataDir, name))
        await run('chmod', ['600', join(dataDir, name)])
        if (user) await run('chown', [`${user.uid}:${user.gid}`, join(dataDir, name)])
      }
      await writeFile(join(dataDir, 'pg_hba.conf'), `${hostRules.join('\n')}\n`)
    },
  })
  const sql = postgres(database.url, { max: 1 })
  // The rights of the master user of RDS, which is no superuser.
  await sql.unsafe(`create role gatehouse_admin login createrole createdb password '${password}'`)
  await sql`create database gatehouse owner gatehouse_admin`
  await sql.end()

  const cache = await startPrivateRedis({
    tls: certificates,
    settings: [
      ...['--tls-auth-clients', 'no', '--maxmemory', '64mb', '--maxmemory-policy', 'noeviction'],
      ...['--user', 'default', 'off', '--user', 'gatehouse', `>${password}`, ...cacheRights.split(' ')],
    ],
  })
  return {
    caFile: certificates.caFile,
    password,
    databasePort: database.port,
    cachePort: cache.port,
    stop: async () => {
      await cache.stop()
      await database.stop()
      await certificates.remove()
    },
  }
}
