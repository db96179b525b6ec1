import { expect, test } from 'vitest'
import { createRefreshTokens } from './refresh-tokens.ts'

const tokens = createRefreshTokens(Buffer.alloc(32, 7))

test('the first token of a session has 256 random bits, of which each takes both values, and a tag', () => {
  const drawn = Array.from({ length: 200 }, () => tokens.createFirst())
  const secrets = drawn.map((token) => Buffer.from(token.slice(0, 43), 'base64url'))
  for (const token of drawn) expect(token).toMatch(/^[\w-]{54}$/)
  for (const secret of secrets) expect(secret).toHaveLength(32)
  expect(new Set(drawn).size).toBe(drawn.length)
  for (let bit = 0; bit < 256; bit++) {
    const values = secrets.map((secret) => ((secret[bit >> 3] ?? 0) >> (bit & 7)) & 1)
    expect(new Set(values), `bit ${bit}`).toEqual(new Set([0, 1]))
  }
})
