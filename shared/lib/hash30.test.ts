import { expect, test } from 'vitest'
import { hash30 } from './hash30.ts'

test.each([0, 17, 35])('texts that differ in the letter at %s never have the same hash', (at) => {
  const texts = Array.from(
    { length: 64 },
    (_, letter) => `${'a'.repeat(at)}${String.fromCharCode(0x30 + letter)}${'b'.repeat(35 - at)}`,
  )
  expect(new Set(texts.map((text) => hash30(text))).size).toBe(64)
})

const randomSignature = () => Buffer.from(crypto.getRandomValues(new Uint8Array(64))).toString('base64url')

test.each([
  ['ids', () => hash30(crypto.randomUUID())],
  ['ends of signatures', () => hash30(randomSignature(), 78)],
])('of 100,000 %s at most 50 share a hash', (_name, draw) => {
  expect(new Set(Array.from({ length: 100_000 }, draw)).size).toBeGreaterThan(99_950)
})

test('a hash is an integer of 30 bits, also of an empty text and of one shorter than its hashed part', () => {
  for (const text of ['', 'a', 'ÿÿÿÿ', 'x'.repeat(9000)]) {
    const hash = hash30(text, text.length - 8)
    expect(Number.isInteger(hash)).toBe(true)
    expect(hash).toBeGreaterThanOrEqual(0)
    expect(hash).toBeLessThan(2 ** 30)
  }
})

test('characters before the hashed part do not count', () => {
  expect(hash30('first.signature', 6)).toBe(hash30('other.signature', 6))
})
