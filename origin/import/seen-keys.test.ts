import { describe, expect, test } from 'vitest'
import { SeenKeys } from './seen-keys.ts'

describe('the keys of a file', () => {
  test('have the line on which each came first, of 20,000', () => {
    const seen = new SeenKeys()
    const keys = Array.from({ length: 20_000 }, (_, index) => `user${index}@example.com`)
    for (const [index, key] of keys.entries()) expect(seen.add(key, index + 1)).toBeUndefined()
    for (const [index, key] of keys.entries()) expect(seen.add(key, 99_999)).toBe(index + 1)
  })
})
