import { expect, test } from 'vitest'
import { generateKey, importKey, privateJwkSchema, publicJwkSchema } from './jwk.ts'

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

test('a key of another kind, curve, algorithm or use is rejected', async () => {
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

// RFC 7517, section 4.3: a key says what it may be used for, and a key that may only wrap others
// verifies nothing.
test('a public key whose key_ops lack verify is rejected, and so is a private one whose key_ops lack sign', async () => {
  const { publicJwk, privateJwk } = await generateKey()
  const isPublic = (key_ops: unknown) => publicJwkSchema.safeParse({ ...publicJwk, key_ops }).success
  const isPrivate = (key_ops: unknown) => privateJwkSchema.safeParse({ ...privateJwk, key_ops }).success
  for (const key_ops of [[], ['sign'], ['deriveKey', 'deriveBits'], 'verify', [7]])
    expect(isPublic(key_ops), JSON.stringify(key_ops)).toBe(false)
  for (const key_ops of [[], ['verify'], ['deriveBits'], 'sign'])
    expect(isPrivate(key_ops), JSON.stringify(key_ops)).toBe(false)
  expect(isPublic(['verify'])).toBe(true)
  expect(isPrivate(['sign', 'verify'])).toBe(true)
})

test('what else a key may be used for does not keep it from being imported', async () => {
  const { publicJwk, privateJwk } = await generateKey()
  const key_ops = ['sign', 'verify', 'deriveBits']
  await importKey(publicJwkSchema.parse({ ...publicJwk, key_ops }))
  const signer = await importKey(privateJwkSchema.parse({ ...privateJwk, key_ops }))
  expect(signer.key.usages).toEqual(['sign'])
})

test('a point that is not on the curve is rejected when it is imported', async () => {
  const { publicJwk } = await generateKey()
  await expect(importKey({ ...publicJwk, y: publicJwk.x })).rejects.toThrow()
})
