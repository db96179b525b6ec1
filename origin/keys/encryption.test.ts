import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createEncryption } from './encryption.ts'

const newKey = () => new Uint8Array(randomBytes(32))

describe('an encrypted secret', () => {
  test('opens under its key and its name, with every character', async () => {
    const { encrypt, decrypt } = createEncryption(newKey())
    const secret = '{"d":"ключ 🔑"}'
    expect(decrypt('key-1', encrypt('key-1', secret))).toBe(secret)
    expect(decrypt('key-1', Buffer.from(encrypt('key-1', secret)))).toBe(secret)
  })

  test('reveals neither content nor whether two are equal', async () => {
    const { encrypt } = createEncryption(newKey())
    const [one, two] = [encrypt('key-1', 'a secret'), encrypt('key-1', 'a secret')]
    expect(Buffer.from(one).equals(Buffer.from(two))).toBe(false)
    expect(Buffer.from(one).includes('secret')).toBe(false)
  })

  test('does not decrypt under another key', async () => {
    const encrypted = createEncryption(newKey()).encrypt('key-1', 'a secret')
    expect(() => createEncryption(newKey()).decrypt('key-1', encrypted)).toThrow()
  })

  // An attacker who can write to the database, but has no key, moves an encrypted value to another
  // row.
  test('does not decrypt under another name', async () => {
    const { encrypt, decrypt } = createEncryption(newKey())
    expect(() => decrypt('key-2', encrypt('key-1', 'a secret'))).toThrow()
  })

  test.each([
    ['nonce', 0],
    ['content', 12],
    ['tag', -1],
  ])('does not decrypt where a bit of its %s was changed', async (_, at) => {
    const { encrypt, decrypt } = createEncryption(newKey())
    const encrypted = encrypt('key-1', 'a secret')
    const index = at < 0 ? encrypted.length + at : at
    encrypted[index] = (encrypted[index] ?? 0) ^ 1
    expect(() => decrypt('key-1', encrypted)).toThrow()
  })

  test('does not decrypt where it was cut short', async () => {
    const { encrypt, decrypt } = createEncryption(newKey())
    const encrypted = encrypt('key-1', 'a secret')
    for (const length of [0, 5, 12, encrypted.length - 1])
      expect(() => decrypt('key-1', encrypted.slice(0, length))).toThrow()
  })
})
