import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { formatApiKey } from '../../shared/auth/api-key.ts'
import type { ApiKeyExchanged } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { createClock } from '../../test/support/clock.ts'
import { createIssuer, type Issuer } from '../../test/support/gateway/issuer.ts'
import { createApiKeys, maxExchanges } from './api-keys.ts'
import { createTokenVerifier } from './token-verifier.ts'

const recheckSeconds = 300

let clock: ReturnType<typeof createClock>
let issuer: Issuer
/** Hashes that were exchanged, in order. */
let exchanged: string[]
let answer: (hash: string) => Promise<ApiKeyExchanged>
/** Whether the origin still has the signing key of its tokens. */
let isKeyKnown: boolean

beforeEach(async () => {
  clock = createClock()
  issuer = await createIssuer(clock.now)
  exchanged = []
  answer = tokenFor
  isKeyKnown = true
})

const keyId = '00000000-0000-4000-8000-000000000001'

const tokenFor = async (): Promise<ApiKeyExchanged> => ({
  kind: 'token',
  key_id: keyId,
  access_token: await issuer.sign({ sid: keyId }),
  networks: [],
})

function openApiKeys(digest?: (text: string) => string) {
  const verify = () => true
  const tokens = createTokenVerifier({
    keys: { find: async () => (isKeyKnown ? verify : undefined) },
    issuer: 'http://127.0.0.1:8080',
    audience: 'gatehouse',
    recheckSeconds,
    now: clock.now,
  })
  return createApiKeys({
    async exchange(hash) {
      exchanged.push(hash)
      return answer(hash)
    },
    tokens,
    digest,
    recheckSeconds,
    lacksFeature: () => new Problem('feature_required'),
    now: clock.now,
  })
}

const newKey = () => formatApiKey(crypto.getRandomValues(new Uint8Array(32)))

const codeOf = async (find: () => unknown) => {
  try {
    await find()
    return 'found'
  } catch (error) {
    return error instanceof Problem ? error.code : error
  }
}

describe('an exchange', () => {
  test.each([
    ['of WebCrypto', undefined],
    ['of Node', (text: string) => createHash('sha256').update(text).digest('latin1')],
  ])('sends the SHA-256 of the key in base64url, by the digest %s', async (_, digest) => {
    const key = newKey()
    const apiKeys = openApiKeys(digest)
    expect((await apiKeys.find(key, 'address')).id).toBe(keyId)
    expect(exchanged).toEqual([createHash('sha256').update(key).digest('base64url')])
  })

  test('503 overloaded: more at once than the bound; a kept key is found meanwhile', async () => {
    const apiKeys = openApiKeys()
    const kept = newKey()
    await apiKeys.find(kept, 'address')
    let letGo: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      letGo = resolve
    })
    answer = () => gate.then(tokenFor)
    const waiting = Array.from({ length: maxExchanges }, () => apiKeys.find(newKey(), 'address'))
    await expect.poll(() => exchanged.length).toBe(1 + maxExchanges)
    expect(await codeOf(() => apiKeys.find(newKey(), 'address'))).toBe('overloaded')
    expect((await apiKeys.find(kept, 'address')).id).toBe(keyId)
    letGo()
    await Promise.all(waiting)
    expect(await codeOf(() => apiKeys.find(newKey(), 'address'))).toBe('found')
  })

  test('of a key of an address with many unknown ones is delayed; that of another address is not', async () => {
    const apiKeys = openApiKeys()
    answer = async () => ({ kind: 'unknown' })
    for (let i = 0; i < 20; i++)
      expect(await codeOf(() => apiKeys.find(newKey(), 'guessing'))).toBe('invalid_token')
    const outcomes = await Promise.all(
      Array.from({ length: 600 }, () => codeOf(() => apiKeys.find(newKey(), 'guessing'))),
    )
    expect(outcomes.filter((code) => code === 'overloaded').length).toBeGreaterThan(400)
    answer = tokenFor
    expect(await codeOf(() => apiKeys.find(newKey(), 'another'))).toBe('found')
  })
})

describe('a kept key', () => {
  test('is exchanged again where the signing key of its token was withdrawn, and not before', async () => {
    const apiKeys = openApiKeys()
    const key = newKey()
    await apiKeys.find(key, 'address')
    clock.advance(recheckSeconds + 1)
    await apiKeys.find(key, 'address')
    expect(exchanged).toHaveLength(1)
    clock.advance(recheckSeconds + 1)
    isKeyKnown = false
    expect(await codeOf(() => apiKeys.find(key, 'address'))).toBe('keys_unavailable')
    expect(exchanged).toHaveLength(2)
    isKeyKnown = true
    expect(await codeOf(() => apiKeys.find(key, 'address'))).toBe('found')
  })

  test('goes on with its token while the origin is away, until the token ends: 503 keys_unavailable', async () => {
    const apiKeys = openApiKeys()
    const key = newKey()
    await apiKeys.find(key, 'address')
    answer = async () => {
      throw new Error('away')
    }
    clock.advance(880)
    expect(await codeOf(() => apiKeys.find(key, 'address'))).toBe('found')
    clock.advance(20)
    expect(await codeOf(() => apiKeys.find(key, 'address'))).toBe('keys_unavailable')
    answer = tokenFor
    expect(await codeOf(() => apiKeys.find(key, 'address'))).toBe('found')
  })

  test('is exchanged once beside its requests when its token nears its end', async () => {
    const apiKeys = openApiKeys()
    const key = newKey()
    const first = await apiKeys.find(key, 'address')
    clock.advance(869)
    expect(await apiKeys.find(key, 'address')).toBe(first)
    expect(exchanged).toHaveLength(1)
    clock.advance(1)
    for (let i = 0; i < 5; i++) await apiKeys.find(key, 'address')
    expect(exchanged).toHaveLength(2)
    expect(await apiKeys.find(key, 'address')).not.toBe(first)
  })

  test('that many requests find stale is exchanged once', async () => {
    const apiKeys = openApiKeys()
    const stale = await apiKeys.find(newKey(), 'address')
    const renewed = await Promise.all(Array.from({ length: 20 }, () => apiKeys.renew(stale)))
    renewed.push(await apiKeys.renew(stale))
    expect(new Set(renewed).size).toBe(1)
    expect(exchanged).toHaveLength(2)
  })
})
