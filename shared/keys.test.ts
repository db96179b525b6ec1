import { expect, test } from 'vitest'
import { generateKey, importKey, privateJwkSchema, publicJwkSchema } from './keys.ts'

test('a public key shows no private member, even where it is read from a private one', async () => {
  const { publicJwk, privateJwk } = await generateKey()
  expect(Object.keys(publicJwk).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  expect(publicJwkSchema.parse(privateJwk)).toEqual(publicJwk)
  expect(privateJwk.d).toMatch(/^[\w-]{43}$/)
})

test('two keys have two ids', async () => {
  const [one, other] = await Promise.all([generateKey(), generateKey()])
  expect(one.publicJwk.kid).not.toBe(other.publicJwk.kid)
})

test('a key of another kind, curve, algorithm or use is refused', async () => {
  const { privateJwk } = await generateKey()
  for (const change of [
    { kty: 'RSA' },
    { crv: 'P-384' },
    { alg: 'HS256' },
    { use: 'enc' },
    { kid: '' },
    { x: undefined },
    { d: 7 },
  ])
    expect(privateJwkSchema.safeParse({ ...privateJwk, ...change }).success, JSON.stringify(change)).toBe(
      false,
    )
})

test('a point that is not on the curve is refused when it is imported', async () => {
  const { publicJwk } = await generateKey()
  await expect(importKey({ ...publicJwk, y: publicJwk.x })).rejects.toThrow()
})
