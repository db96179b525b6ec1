import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { createOrigin } from '../origin.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack()
})
afterAll(() => fullStack.close())

describe('GET /.well-known/jwks.json', () => {
  test('200: the public members of each key and no other, cacheable by anyone', async () => {
    const answer = await fullStack.originFetch('/.well-known/jwks.json')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('public, max-age=60')
    const { keys } = (await answer.json()) as { keys: Record<string, string>[] }
    expect(keys).toHaveLength(1)
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    expect(keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' })
  })

  test('200: a key of it verifies an access token', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com')
    const keys = createLocalJWKSet(await (await fullStack.originFetch('/.well-known/jwks.json')).json())
    const { payload } = await jwtVerify(tokens.access_token, keys, { typ: 'at+jwt', audience: 'gatehouse' })
    expect(payload.email).toBe('ada@example.com')
  })

  // A private half that got into the public column by some mistake of an operator's.
  test('200: a private member in the public column is not published', async () => {
    await fullStack.sql`update signing_keys set public_jwk = public_jwk || '{"d": "c2VjcmV0"}'`
    const restarted = await createOrigin(fullStack.originConfig, createCapturedLog('origin').log)
    try {
      const answer = await restarted.app.request('/.well-known/jwks.json')
      expect(answer.status).toBe(200)
      const text = await answer.text()
      expect(text).toContain('"kid"')
      expect(text).not.toContain('c2VjcmV0')
    } finally {
      await restarted.close()
    }
  })
})
