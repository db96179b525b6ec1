import { describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { parseDatabaseUrl } from './database-url.ts'
import { parseRedisUrl } from './redis-url.ts'

const reserved = 'p@ss:w/o?r#d%25 +&='

describe('a user and a password beside their URL', () => {
  test('reach PostgreSQL as they are, whatever characters they have', () => {
    const { DATABASE_URL } = readConfig(['DATABASE_URL'], {
      DATABASE_URL: 'postgres://db1:5432,db2:5433/gatehouse?sslmode=verify-full',
      DATABASE_USER: 'gate@house',
      DATABASE_PASSWORD: reserved,
    })
    expect(parseDatabaseUrl(DATABASE_URL)).toMatchObject({
      hosts: [
        { host: 'db1', port: 5432 },
        { host: 'db2', port: 5433 },
      ],
      user: 'gate@house',
      password: reserved,
      tls: { mode: 'verify-full' },
    })
  })

  test.each(['rediss://node:6379', 'rediss-cluster://node:6379', 'redis-sentinel://one,two/master'])(
    'reach Redis at %s',
    (url) => {
      const { REDIS_URL } = readConfig(['REDIS_URL'], {
        REDIS_URL: url,
        REDIS_USER: 'gatehouse',
        REDIS_PASSWORD: reserved,
      })
      expect(parseRedisUrl(REDIS_URL ?? '')).toMatchObject({ username: 'gatehouse', password: reserved })
    },
  )

  test('reach the mail server', () => {
    const { SMTP_URL } = readConfig(['SMTP_URL'], {
      NODE_ENV: 'production',
      SMTP_URL: 'smtps://mail.example.com:465',
      SMTP_USER: 'AKIA',
      SMTP_PASSWORD: reserved,
    })
    const { username, password } = new URL(SMTP_URL ?? '')
    expect([username, decodeURIComponent(password)]).toEqual(['AKIA', reserved])
  })

  test('may be a password alone', () => {
    const { REDIS_URL } = readConfig(['REDIS_URL'], {
      REDIS_URL: 'redis://node',
      REDIS_PASSWORD: 'hunter22',
    })
    expect(parseRedisUrl(REDIS_URL ?? '')).toMatchObject({ username: undefined, password: 'hunter22' })
  })

  test('go with DATABASE_POOLER', () => {
    const { DATABASE_URL } = readConfig(['DATABASE_URL'], {
      DATABASE_URL: 'postgres://proxy/gatehouse',
      DATABASE_PASSWORD: 'hunter22',
      DATABASE_POOLER: 'transaction',
    })
    expect(parseDatabaseUrl(DATABASE_URL)).toMatchObject({ password: 'hunter22', isTransactionPooler: true })
  })

  test.each([
    [
      'a second password',
      { REDIS_URL: 'redis://:first@node', REDIS_PASSWORD: 'second' },
      'REDIS_URL must have no user and no password where REDIS_PASSWORD is set',
    ],
    ['a password without a URL', { REDIS_PASSWORD: 'second' }, 'REDIS_PASSWORD needs a URL in REDIS_URL'],
    ['a user alone', { REDIS_URL: 'redis://node', REDIS_USER: 'second' }, 'REDIS_USER needs REDIS_PASSWORD'],
    [
      'a misspelt name',
      { REDIS_URL: 'redis://node', REDIS_PASSWRD: 'second' },
      'REDIS_PASSWRD is not a variable of Gatehouse',
    ],
  ])('are rejected by name and without a value: %s', (_, environment, reason) => {
    const read = () => readConfig(['REDIS_URL'], environment, Object.keys(environment))
    expect(read).toThrow(reason)
    expect(read).not.toThrow(/first|second@/)
  })
})
