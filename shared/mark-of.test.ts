import { expect, test } from 'vitest'
import { markOf } from './mark-of.ts'

test('texts that differ in one letter, wherever it stands, hardly ever have the same mark', () => {
  const texts = new Set<string>()
  for (const at of [0, 17, 35])
    for (let letter = 0; letter < 64; letter++)
      texts.add(`${'a'.repeat(at)}${String.fromCharCode(0x30 + letter)}${'b'.repeat(35 - at)}`)
  expect(new Set([...texts].map((text) => markOf(text))).size).toBe(texts.size)
})

test('a hundred thousand random texts share a few marks alone', () => {
  const marks = new Set(Array.from({ length: 100_000 }, () => markOf(crypto.randomUUID())))
  expect(marks.size).toBeGreaterThan(99_950)
})

test('a mark is a whole number of 30 bits, also of a text that is shorter than its marked part, and of none', () => {
  for (const text of ['', 'a', 'ÿÿÿÿ', 'x'.repeat(9000)]) {
    const mark = markOf(text, text.length - 8)
    expect(Number.isInteger(mark)).toBe(true)
    expect(mark).toBeGreaterThanOrEqual(0)
    expect(mark).toBeLessThan(2 ** 30)
  }
})

test('what stands before the marked part does not count', () => {
  expect(markOf('first.signature', 6)).toBe(markOf('other.signature', 6))
})
