import { randomBytes } from 'node:crypto'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import { migrate } from '../../origin/db/migrate.ts'
import { serviceUrl } from '../../tools/servers/postgres/test-database.ts'
import { bearer, createFullStack, type FullStack } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'

const password = 'correct horse battery'

let server: Sql
beforeAll(() => {
  server = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} })
})
afterAll(() => server.end())

// In Turkish, lower('I') is ı and upper('i') is İ.
describe.each([
  ['Turkish of ICU', `locale 'C' locale_provider icu icu_locale 'tr-TR'`],
  ['German of ICU', `locale 'C' locale_provider icu icu_locale 'de-DE'`],
  ['C.UTF-8', `locale 'C.UTF-8'`],
  ['C', `locale 'C'`],
])('in a database whose locale is %s', (_, form) => {
  let fullStack: FullStack
  beforeAll(async () => {
    const name = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`
    await server.unsafe(`create database ${name} template template0 encoding 'UTF8' ${form}`)
    await migrate(serviceUrl(name))
    fullStack = await createFullStack({
      environment: { ...highLimits, LOCKOUT_TRIES: '5' },
      remains: { secrets: await generateSecrets(), databaseUrl: serviceUrl(name) },
    })
    return async () => {
      await fullStack.close()
      await server.unsafe(`drop database ${name} with (force)`)
    }
  })

  test('202, one account: an address is registered in two letter cases, also in parallel', async () => {
    for (const round of [1, 2, 3]) {
      const emails = ['INI', 'ini', 'Ini', 'iNi'].map((name) => `${name}${round}@Example.com`)
      const responses = await Promise.all(
        emails.map((email) => fullStack.post('/auth/register', { email, password })),
      )
      expect(responses.map(({ status }) => status)).toEqual([202, 202, 202, 202])
    }
    expect(await fullStack.sql`select from user_accounts`).toHaveLength(3)
  })

  test('200: login, lockout, lists and the directory find the account in any letter case', async () => {
    await fullStack.signUp('Irid@example.com', password)
    expect((await fullStack.login('IRID@example.com', password)).access_token).toBeTruthy()
    expect((await fullStack.login('irid@EXAMPLE.COM', password)).access_token).toBeTruthy()

    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'superadmin') where email = 'Irid@example.com'`
    const { access_token: token } = await fullStack.login('irid@example.com', password)
    const found = async (path: string) => {
      const response = await fullStack.call(path, { headers: bearer(token) })
      return ((await response.json()) as { items: { email: string }[] }).items
    }
    expect(await found('/admin/users?email_prefix=IRI')).toMatchObject([{ email: 'Irid@example.com' }])
    expect(await found('/admin/users?email_prefix=iri')).toMatchObject([{ email: 'Irid@example.com' }])
    expect(await found('/admin/login-attempts?email=iRID@example.com')).toHaveLength(4)
  })

  test('401 invalid_credentials: failures of an unknown address are counted over its letter cases', async () => {
    for (const email of ['NIXI', 'nixi', 'Nixi', 'nIXI', 'NiXi', 'nixI'])
      expect((await fullStack.post('/auth/login', { email: `${email}@example.com`, password })).status).toBe(
        401,
      )
    const counters = await fullStack.sql`select tries from login_counters where tries > 0`
    expect(counters).toMatchObject([{ tries: 5 }])
  })
})
