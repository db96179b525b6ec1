import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { deviceCookie } from '../../../shared/http/headers.ts'
import { setCookieOf } from '../../../test/support/cookies.ts'
import { bearer, createFullStack, type FullStack } from '../../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../../test/support/high-limits.ts'
import { formatForeignHash } from './foreign-hash.ts'
import { readImportedHash } from './import-forms.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
beforeEach(async () => {
  await fullStack.sql`delete from user_accounts`
  await fullStack.sql`truncate audit_logs, login_counters, login_attempts`
})
afterAll(() => fullStack.close())

/** An account as an import leaves it. */
async function addAccount(hash: string | null, address = email) {
  const imported = hash === null ? undefined : readImportedHash(hash)
  const stored = imported?.kind === 'read' ? formatForeignHash(imported.hash) : null
  await fullStack.sql`
    with account as (
      insert into user_accounts (email, password_hash, role_id)
      values (${address}, ${stored}, (select id from roles where name = 'user')) returning id
    )
    insert into user_subscriptions (user_id, plan_id)
    select account.id, plan.id from account join subscription_plans plan on plan.name = 'free'`
  return stored
}

const storedHash = async () =>
  (await fullStack.sql`select password_hash from user_accounts`)[0]?.password_hash
const login = (attempt = password, init = {}) =>
  fullStack.post('/auth/login', { email, password: attempt }, init)

const bcrypt = '$2b$06$DHB.8cFqnjc0kMZvAsUD2enNGk2gWlT0hNvn5X2qmV8EFMzAfMI3.'
const schemes = [
  ['bcrypt', bcrypt],
  [
    'argon2id',
    '$argon2id$v=19$m=8192,t=2,p=2$GkW+FsdC+cbr45fp55OAug$jKLceGNWCFKZnfCpLqJKi0ZoJi8YsKiQZK0jJUJQpx0',
  ],
  ['scrypt', '$scrypt$ln=12,r=8,p=1$MkYohdC6tzaG0BoDIKRUqg$OOEN8oHPE+IOaLT3VHPv+vpl4ur18jSrt8NKw1PiwRE'],
  ['pbkdf2', 'pbkdf2_sha256$3000$seasalt2abcdefghijkl$xlg+yQbmPpHlnVJ7YPF5PaobEOhB92b2m3Wrbpv9fNg='],
] as const

describe('POST /auth/login of an imported account', () => {
  test.each(schemes)(
    '200: with a password of %s, which is replaced by a native hash and audited',
    async (scheme, hash) => {
      const stored = await addAccount(hash)
      expect((await login('wrong')).status).toBe(401)
      expect(await storedHash()).toBe(stored)
      expect((await login()).status).toBe(200)
      expect(await storedHash()).toMatch(/^\$2b\$10\$/)
      expect(
        await fullStack.sql`select actor_id = user_id as own, details from audit_logs where action = 'password.rehashed'`,
      ).toEqual([{ own: true, details: { before: scheme, after: 'native' } }])
      expect((await login()).status).toBe(200)
      expect((await login('wrong')).status).toBe(401)
      expect(await fullStack.sql`select from audit_logs where action = 'password.rehashed'`).toHaveLength(1)
    },
  )

  test('200: several at once all get in, and one replaces the hash', async () => {
    await addAccount(bcrypt)
    const statuses = (await Promise.all([1, 2, 3, 4].map(() => login()))).map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 200, 200])
    expect(await fullStack.sql`select from audit_logs where action = 'password.rehashed'`).toHaveLength(1)
  })

  test('200: the device of the first login stays known', async () => {
    await addAccount(bcrypt)
    const device = setCookieOf(await login(), deviceCookie)?.value ?? ''
    for (let tries = 0; tries < 6; tries++) await login('wrong')
    expect((await login()).status).toBe(401)
    expect((await login(password, { headers: { cookie: `${deviceCookie}=${device}` } })).status).toBe(200)
  })

  test('401 invalid_credentials: the sixth try, although it is right, as of any account', async () => {
    await addAccount(bcrypt)
    for (let tries = 0; tries < 5; tries++) expect((await login('wrong')).status).toBe(401)
    expect((await login()).status).toBe(401)
    expect(await fullStack.sql`select from audit_logs where action = 'account.locked'`).toHaveLength(1)
    expect(await storedHash()).toMatch(/^foreign:/)
  })

  test('401 invalid_credentials: without a password, whatever is tried; a mailed link sets one', async () => {
    await addAccount(null)
    expect((await login()).status).toBe(401)
    expect((await login('null')).status).toBe(401)
    await fullStack.post('/auth/password/forgot', { email })
    const token = await fullStack.mailedToken(email)
    expect((await fullStack.post('/auth/password/reset', { token, password })).status).toBe(204)
    expect((await login()).status).toBe(200)
  })

  // Hashes of bcrypt 5.0 of Python.
  test.each([
    ['as the browser sent it', '$2b$05$9VzAaxzvziDMpk4YPI6RguXcXLR6kW1U1UlUYT2qYtEke6Lx6cgWy'],
    ['in NFC', '$2b$05$RIyocoCrz6mZ6hoQw1Jn4.r9wzClrBpXejVObhTIVSYMrCVtkNdIK'],
  ])('200: a decomposed password that was hashed %s; then both forms', async (_, hash) => {
    const decomposed = 'cafe\u0301 au lait bitte'
    await addAccount(hash)
    expect((await login(decomposed)).status).toBe(200)
    expect((await login(decomposed.normalize('NFC'))).status).toBe(200)
  })

  test('204: the first use may be a change of the password by a session', async () => {
    await addAccount(bcrypt)
    const { access_token } = await fullStack.login(email, password)
    await fullStack.sql`update user_accounts set password_hash = ${`foreign:${bcrypt}`}`
    const change = { current_password: password, new_password: 'staple of another kind' }
    expect((await fullStack.post('/auth/password', change, { headers: bearer(access_token) })).status).toBe(
      204,
    )
    expect(await storedHash()).toMatch(/^\$2b\$/)
  })
})
