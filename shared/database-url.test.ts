import { describe, expect, test } from 'vitest'
import { behindTransactionPooler, parseDatabaseUrl } from './database-url.ts'

describe('URLs as providers print them', () => {
  test.each([
    [
      'Amazon RDS',
      'postgresql://app:pw@db.abc.eu-central-1.rds.amazonaws.com:5432/app?sslmode=verify-full&sslrootcert=/etc/rds.pem',
      { tls: { mode: 'verify-full', direct: false, rootFile: '/etc/rds.pem' } },
    ],
    [
      'Supabase, direct',
      'postgresql://postgres:pw@db.abcdefgh.supabase.co:5432/postgres',
      { hosts: [{ host: 'db.abcdefgh.supabase.co', port: 5432 }], database: 'postgres' },
    ],
    [
      'Supabase, pooler',
      'postgresql://postgres.abcdefgh:pw@aws-0-eu-central-1.pooler.supabase.com:6543/postgres?pgbouncer=true',
      { user: 'postgres.abcdefgh', isTransactionPooler: true },
    ],
    [
      'Neon',
      'postgresql://owner:pw@ep-cool-1.eu-central-1.aws.neon.tech/neondb?sslmode=require&channel_binding=require',
      {
        hosts: [{ host: 'ep-cool-1.eu-central-1.aws.neon.tech', port: 5432 }],
        tls: { mode: 'verify-full', direct: false },
      },
    ],
    [
      'Neon, for clients without SNI',
      'postgres://owner:pw@ep-cool-1.aws.neon.tech/neondb?sslmode=require&options=endpoint%3Dep-cool-1',
      { options: 'endpoint=ep-cool-1', tls: { mode: 'require', direct: false } },
    ],
    [
      'Crunchy Bridge',
      'postgres://application:p%40ss@p.abcd.db.postgresbridge.com:5432/postgres',
      { user: 'application', password: 'p@ss' },
    ],
    [
      'several hosts',
      'postgres://app:pw@one:5433,two,[2001:db8::1]:5434/app?target_session_attrs=read-write',
      {
        hosts: [
          { host: 'one', port: 5433 },
          { host: 'two', port: 5432 },
          { host: '2001:db8::1', port: 5434 },
        ],
      },
    ],
    [
      'a Unix socket',
      'postgres://app@%2Fvar%2Frun%2Fpostgresql/app',
      { hosts: [{ host: '/var/run/postgresql', port: 5432 }] },
    ],
    [
      'libpq, hosts and ports as options',
      'postgres:///app?host=one,two&port=5433',
      {
        hosts: [
          { host: 'one', port: 5433 },
          { host: 'two', port: 5433 },
        ],
      },
    ],
  ])('%s', (_, url, expected) => {
    expect(parseDatabaseUrl(url)).toMatchObject(expected)
  })
})

test('a URL with the parameter once is behind a pooler in transaction mode', () => {
  const once = behindTransactionPooler('postgres://db/app?sslmode=require')
  expect(parseDatabaseUrl(once)).toMatchObject({ isTransactionPooler: true, tls: { mode: 'require' } })
  expect(behindTransactionPooler(once)).toBe(once)
})

describe('sslmode', () => {
  test.each([
    ['', 'prefer'],
    ['sslmode=disable', 'disable'],
    ['sslmode=require', 'require'],
    ['sslmode=require&sslrootcert=/ca.pem', 'verify-ca'],
    ['sslrootcert=system', 'verify-full'],
    ['sslmode=verify-full', 'verify-full'],
    ['channel_binding=prefer', 'prefer'],
  ])('%s is %s', (query, mode) => {
    expect(parseDatabaseUrl(`postgres://db/app?${query}`).tls.mode).toBe(mode)
  })
})

test.each([
  ['postgres://db/app?connection_limit=1', 'must not have the option connection_limit: it has no effect'],
  [
    'postgres://db/app?sslmode=on',
    'must have sslmode as one of allow, disable, prefer, require, verify-ca, verify-full',
  ],
  [
    'postgres://db/app?target_session_attrs=standby',
    'must have target_session_attrs as one of any, read-write, primary',
  ],
  [
    'postgres://db/app?channel_binding=require&sslmode=disable',
    'must not have sslmode=disable with what asks for TLS',
  ],
  [
    'postgres://db/app?sslnegotiation=direct',
    'must have sslmode=require or stricter with sslnegotiation=direct',
  ],
  ['postgres://db/app?sslcert=/client.pem', 'must have sslcert and sslkey, or neither'],
  ['postgres://db/app?connect_timeout=2s', 'must have connect_timeout in whole seconds'],
  ['postgres://db/app?sslmode=require&sslmode=disable', 'must have sslmode once'],
  ['postgres://one:99999/app', 'must have hosts such as one:5432,two:5432'],
  ['postgres://one,two,three/app?port=1,2', 'must have one port, or as many as hosts'],
  ['mysql://db/app', 'must be a URL of postgres or postgresql'],
])('%s is rejected: %s', (url, reason) => {
  expect(() => parseDatabaseUrl(url)).toThrow(reason)
})
