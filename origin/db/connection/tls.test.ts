import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createCapturedLog } from '../../../test/support/captured-log.ts'
import { type RunningServer, startPostgres } from '../../../tools/servers/postgres/postgres.ts'
import { findPostgresBinaries } from '../../../tools/servers/postgres/postgres-binaries.ts'
import { type Certificates, createCertificates } from '../../../tools/servers/process/certificates.ts'
import { run } from '../../../tools/servers/process/run.ts'
import { createDatabase } from '../database.ts'
import { isDatabaseUnavailable } from '../failures.ts'

const { log } = createCapturedLog('database')

let certificates: Certificates
let server: RunningServer
beforeAll(async () => {
  certificates = await createCertificates()
  server = await startPostgres({
    binaries: await findPostgresBinaries(),
    parameters: { ssl: 'on', ssl_ca_file: 'root.crt' },
    prepare: async (dataDir, user) => {
      const files = [
        [certificates.certFile, 'server.crt'],
        [certificates.keyFile, 'server.key'],
        [certificates.caFile, 'root.crt'],
      ] as const
      for (const [from, name] of files) {
        await copyFile(from, join(dataDir, name))
        await run('chmod', ['600', join(dataDir, name)])
        if (user) await run('chown', [`${user.uid}:${user.gid}`, join(dataDir, name)])
      }
      await writeFile(
        join(dataDir, 'pg_hba.conf'),
        'hostnossl postgres postgres 127.0.0.1/32 trust\nhostssl all postgres 127.0.0.1/32 trust\nhostssl all client 127.0.0.1/32 cert\n',
      )
    },
  })
  const sql = postgres(server.url, { max: 1 })
  await sql`create role client login`
  await sql.end()
}, 120_000)
afterAll(async () => {
  await server.stop()
  await certificates.remove()
})

/** Whether a connection with these options is encrypted, or why there is none. */
async function encryption(query: string, url = server.url, user?: string) {
  const target = new URL(url)
  if (user) target.username = user
  const sql = createDatabase({
    url: `${target.href}?${query.replaceAll('CA', certificates.caFile)}`,
    poolMax: 1,
    idleSeconds: 5,
    connectSeconds: 5,
    statementSeconds: 5,
    log,
  })
  try {
    const [row] = await sql<[{ ssl: boolean }]>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`
    return row.ssl
  } catch (error) {
    expect(isDatabaseUnavailable(error)).toBe(true)
    return (error as Error).message
  } finally {
    await sql.end({ timeout: 0 })
  }
}

describe('sslmode, to a server with a certificate of a private authority', () => {
  test.each([
    ['sslmode=disable', false],
    ['', true],
    ['sslmode=prefer', true],
    ['sslmode=require', true],
    ['sslmode=verify-ca&sslrootcert=CA', true],
    ['sslmode=verify-full&sslrootcert=CA', true],
    ['sslmode=require&channel_binding=require&sslrootcert=CA', true],
  ])('%s: encrypted is %s', async (query, expected) => {
    expect(await encryption(query)).toBe(expected)
  })

  test.each(['sslmode=verify-ca', 'sslmode=verify-full', 'sslrootcert=system', 'channel_binding=require'])(
    '%s is rejected as unavailable: no trusted authority signed the certificate',
    async (query) => {
      expect(await encryption(query)).toMatch(/certificate/)
    },
  )

  // Another name of 127.0.0.1 that the certificate does not have.
  test('verify-full is rejected where the certificate is of another name; verify-ca is not', async () => {
    const other = server.url.replace('127.0.0.1', '127.1')
    expect(await encryption('sslmode=verify-full&sslrootcert=CA', other)).toMatch(/altnames/)
    expect(await encryption('sslmode=verify-ca&sslrootcert=CA', other)).toBe(true)
  })

  test('sslcert and sslkey log in where the server requires a certificate', async () => {
    const { clientCertFile, clientKeyFile } = certificates
    expect(await encryption('sslmode=require', server.url, 'client')).toMatch(/certificate/)
    expect(
      await encryption(
        `sslmode=require&sslcert=${clientCertFile}&sslkey=${clientKeyFile}`,
        server.url,
        'client',
      ),
    ).toBe(true)
  })
})

describe('sslmode, to a server without TLS', () => {
  test.each([
    ['sslmode=prefer', false],
    ['sslmode=require', expect.stringMatching(/the server has no TLS/)],
    ['sslmode=verify-full&sslrootcert=CA', expect.stringMatching(/the server has no TLS/)],
  ])('%s', async (query, expected) => {
    expect(await encryption(query, inject('postgresUrl'))).toEqual(expected)
  })
})
