import { describe, expect, test } from 'vitest'
import { mostMemoryMib, whyTooCostly } from './bounds.ts'
import { readImportedHash } from './import-forms.ts'
import { verifyForeignHash } from './verify.ts'

const end = '$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const bcryptOf = (cost: string) => `$2b$${cost}$${'a'.repeat(53)}`

function imported(text: string) {
  const outcome = readImportedHash(text)
  if (outcome.kind === 'rejected') throw new Error(outcome.reason)
  return outcome.hash
}

const why = (text: string, cost = 12) => whyTooCostly(imported(text), cost)

describe('the time and memory of a foreign hash', () => {
  test.each([
    ['bcrypt of the same cost', bcryptOf('12')],
    ['argon2id as argon2-cffi writes it', `$argon2id$v=19$m=65536,t=3,p=4${end}`],
    ['argon2id as Keycloak writes it', `$argon2id$v=19$m=7168,t=5,p=1${end}`],
    ['scrypt of 64 MiB', `$scrypt$ln=16,r=8,p=1${end}`],
    ['PBKDF2 as Django 5.2 writes it', `pbkdf2_sha256$1000000$salt$${'A'.repeat(43)}`],
    ['PBKDF2-SHA512 as Keycloak writes it', `$pbkdf2-sha512$i=210000${end}`],
  ])('is within that of PASSWORD_HASH_COST=12: %s', (_, text) => {
    expect(why(text)).toBeUndefined()
  })

  test.each([
    ['bcrypt', bcryptOf('13'), 13],
    ['argon2id as PHP writes it', `$argon2id$v=19$m=65536,t=4,p=1${end}`, 13],
    ['scrypt of 128 MiB less a little', `$scrypt$ln=16,r=8,p=2${end}`, 13],
    ['PBKDF2', `pbkdf2_sha256$2000000$salt$${'A'.repeat(43)}`, 13],
    ['PBKDF2 of two blocks', `pbkdf2_sha1$1000000$salt$${'A'.repeat(43)}`, 13],
    ['bcrypt of cost 16', bcryptOf('16'), 16],
  ])('is rejected with the setting that it needs, and accepted with it: %s', (_, text, needed) => {
    expect(why(text)).toContain(`it needs ${needed}`)
    expect(why(text, needed)).toBeUndefined()
  })

  test.each([
    ['bcrypt of cost 31', bcryptOf('31'), 'any setting'],
    ['bcrypt of cost 99', bcryptOf('99'), 'any setting'],
    ['argon2id of 4 GB', `$argon2id$v=19$m=4194304,t=1,p=1${end}`, '128 MiB'],
    ['argon2id of 9,999,999,999 passes', `$argon2id$v=19$m=8,t=9999999999,p=1${end}`, 'any setting'],
    ['scrypt of 1 TiB', `$scrypt$ln=30,r=8,p=1${end}`, '128 MiB'],
    ['scrypt of an exponent beyond every number', `$scrypt$ln=9999,r=1000,p=1${end}`, '128 MiB'],
    ['argon2id whose lanes start 100,000 threads', `$argon2id$v=19$m=128,t=1562,p=16${end}`, 'any setting'],
    ['scrypt of 2,000,000,000 lanes', `$scrypt$ln=1,r=1,p=2000000000${end}`, '128 MiB'],
    ['PBKDF2 of 4,000,000,000 iterations', `$pbkdf2-sha256$i=4000000000${end}`, 'any setting'],
  ])('is rejected whatever is set: %s', (_, text, reason) => {
    expect(why(text, 16)).toContain(reason)
  })

  // Each thread of the pool verifies one after another for days.
  test('is free again when the verification has ended', async () => {
    const hash = imported(`$argon2id$v=19$m=131072,t=1,p=1${end}`)
    verifyForeignHash('wrong', hash)
    const before = process.memoryUsage().rss
    for (let count = 0; count < 8; count++) verifyForeignHash('wrong', hash)
    expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(2 * mostMemoryMib)
  })
})
