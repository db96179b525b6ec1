import { expect, test } from 'vitest'
import { hash32 } from './hash32.ts'

test.each([0, 17, 35])('texts that differ in the letter at %s never have the same mark', (at) => {
  const texts = Array.from(
    { length: 64 },
    (_, letter) => `${'a'.repeat(at)}${String.fromCharCode(0x30 + letter)}${'b'.repeat(35 - at)}`,
  )
  expect(new Set(texts.map((text) => hash32(text))).size).toBe(64)
})

const randomSignature = () => Buffer.from(crypto.getRandomValues(new Uint8Array(64))).toString('base64url')

test.each([
  ['ids', () => hash32(crypto.randomUUID())],
  ['ends of signatures', () => hash32(randomSignature(), 78)],
])('of a hundred thousand %s hardly any share a mark', (_name, draw) => {
  expect(new Set(Array.from({ length: 100_000 }, draw)).size).toBeGreaterThan(99_950)
})

test('a mark is a whole number of 30 bits, also of a text that is shorter than its marked part, and of none', () => {
  for (const text of ['', 'a', 'ÿÿÿÿ', 'x'.repeat(9000)]) {
    const mark = hash32(text, text.length - 8)
    expect(Number.isInteger(mark)).toBe(true)
    expect(mark).toBeGreaterThanOrEqual(0)
    expect(mark).toBeLessThan(2 ** 30)
  }
})

test('what stands before the marked part does not count', () => {
  expect(hash32('first.signature', 6)).toBe(hash32('other.signature', 6))
})
