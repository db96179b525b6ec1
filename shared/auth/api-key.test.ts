import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { apiKeyHint, apiKeyPattern, formatApiKey, holdsApiKey, isApiKey } from './api-key.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

describe('an API key', () => {
  test('has the documented form, whatever its random bytes are', () => {
    const extremes = [new Uint8Array(32), new Uint8Array(32).fill(255)]
    for (const bytes of [...extremes, ...Array.from({ length: 200 }, () => randomBytes(32))]) {
      const key = formatApiKey(bytes)
      expect(key).toMatch(apiKeyPattern)
      expect(isApiKey(key)).toBe(true)
      expect(key.startsWith(apiKeyHint(key))).toBe(true)
    }
  })

  test('holds all 256 bits: two keys of different bytes differ before the checksum', () => {
    const bytes = randomBytes(32)
    const seen = new Set([formatApiKey(bytes).slice(0, -6)])
    for (let bit = 0; bit < 256; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      seen.add(formatApiKey(flipped).slice(0, -6))
    }
    expect(seen.size).toBe(257)
  })

  test('ends with the CRC-32 of its random part in base 62', () => {
    const key = formatApiKey(createHash('sha256').update('any').digest())
    const [secret, checksum] = [key.slice(8, -6), key.slice(-6)]
    const value = [...checksum].reduce((sum, digit) => sum * 62 + alphabet.indexOf(digit), 0)
    expect(value).toBe(crc32(secret))
  })

  test('with one wrong or two swapped characters is none', () => {
    const key = formatApiKey(randomBytes(32))
    for (let at = 8; at < key.length; at++) {
      const wrong = key[at] === 'a' ? 'b' : 'a'
      expect(isApiKey(key.slice(0, at) + wrong + key.slice(at + 1))).toBe(false)
      const [first, second] = [key[at], key[at + 1]]
      if (second !== undefined && first !== second)
        expect(isApiKey(key.slice(0, at) + second + first + key.slice(at + 2))).toBe(false)
    }
  })

  test.each([
    ['nothing', ''],
    ['the prefix alone', 'gh_live_'],
    ['another prefix', `gh_test_${formatApiKey(new Uint8Array(32)).slice(8)}`],
    ['a space behind it', `${formatApiKey(new Uint8Array(32))} `],
    ['a line break behind it', `${formatApiKey(new Uint8Array(32))}\n`],
    ['10 kB', `gh_live_${'a'.repeat(10_000)}`],
  ])('is not: %s', (_, text) => {
    expect(isApiKey(text)).toBe(false)
  })
})

test('a value holds a key wherever and in whatever letter case the prefix stands', () => {
  for (const value of ['gh_live_a', 'foreign, gh_live_a', 'GH_LIVE_A', 'Bearer gh_live_'])
    expect(holdsApiKey(value)).toBe(true)
  expect(holdsApiKey('sk_live_abc')).toBe(false)
})
