import { createServer, type Server } from 'node:http'
import { afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { legacyIssuers } from '../../shared/legacy-issuers.ts'
import { claimsOf, createKeys, signJwtParts } from '../../test/support/full-stack/former-system.ts'
import { closeSockets, listen } from '../../test/support/gateway/sockets.ts'
import { createIssuerKey } from './issuer-keys.ts'
import { createLegacyTokenVerifier } from './verify-legacy-token.ts'

const issuer = 'https://old.example.com'
const keys = createKeys('RS256', 'key-1')
const next = createKeys('RS256', 'key-2')

afterEach(closeSockets)

/** A former system that serves its key set, and the verifier of its tokens. */
async function createFormerSystem(answer: (reads: number) => { status?: number; body: string | object }) {
  let reads = 0
  const server: Server = createServer((_, response) => {
    reads++
    const { status = 200, body } = answer(reads)
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
  const [row] = legacyIssuers.parse([
    {
      issuer,
      algorithm: 'RS256',
      jwks_url: `http://127.0.0.1:${await listen(server)}/jwks`,
      ends_at: '2999-01-01T00:00:00Z',
    },
  ])
  if (!row) throw new Error('no issuer')
  let nowMs = Date.now()
  let failures = 0
  const key = await createIssuerKey(row, {
    secrets: {},
    now: () => nowMs,
    onReadFailed: () => {
      failures++
    },
  })
  const verify = createLegacyTokenVerifier({ issuers: [{ issuer: row, key }] })
  return {
    verify: async (token: string) => (await verify(token)).kind,
    reads: () => reads,
    failures: () => failures,
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

const tokenOf = (pair: typeof keys, kid = pair.kid, claims = {}) =>
  signJwtParts({ alg: 'RS256', kid }, claimsOf(issuer, { sub: '1', ...claims }), pair.sign)

describe('the key set of a former system', () => {
  test('is read once for many tokens at once', async () => {
    const former = await createFormerSystem(() => ({ body: { keys: [keys.jwk, next.jwk] } }))
    const kinds = await Promise.all(Array.from({ length: 50 }, () => former.verify(tokenOf(keys))))
    expect(new Set(kinds)).toEqual(new Set(['genuine']))
    expect(await former.verify(tokenOf(next))).toBe('genuine')
    expect(former.reads()).toBe(1)
  })

  test('is not read again for a hundred random kids', async () => {
    const former = await createFormerSystem(() => ({ body: { keys: [keys.jwk] } }))
    for (let i = 0; i < 100; i++) expect(await former.verify(tokenOf(next, `random-${i}`))).toBe('invalid')
    expect(former.reads()).toBe(1)
  })

  test.each<[string, { status?: number; body: string | object }]>([
    ['answers 500', { status: 500, body: {} }],
    ['answers no JSON', { body: '<html>' }],
    ['answers no key set', { body: { keys: 'none' } }],
    ['answers more than 64 KiB', { body: { keys: [keys.jwk], filler: 'x'.repeat(70_000) } }],
    ['redirects', { status: 302, body: {} }],
  ])('503 keys_unavailable, never a false 401: it %s', async (_, answer) => {
    const former = await createFormerSystem(() => answer)
    await expect(former.verify(tokenOf(keys))).rejects.toMatchObject({ code: 'keys_unavailable' })
  })

  test('is not read again for two seconds after a failure, whatever tokens come', async () => {
    const former = await createFormerSystem((reads) =>
      reads === 1 ? { status: 500, body: {} } : { body: { keys: [keys.jwk] } },
    )
    for (let i = 0; i < 20; i++)
      await expect(former.verify(tokenOf(keys))).rejects.toMatchObject({ code: 'keys_unavailable' })
    expect(former.reads()).toBe(1)
    former.pass(2000)
    expect(await former.verify(tokenOf(keys))).toBe('genuine')
  })

  // jose reads a set again when it is ten minutes old, by the system's clock; another kid asks for
  // a read earlier.
  test('holds where it cannot be read any more, for a day', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const former = await createFormerSystem((reads) =>
      reads === 1 ? { body: { keys: [keys.jwk] } } : { status: 500, body: {} },
    )
    const token = tokenOf(keys, keys.kid, { exp: undefined })
    const pass = (ms: number) => {
      vi.setSystemTime(Date.now() + ms)
      former.pass(ms)
    }
    expect(await former.verify(token)).toBe('without_exp')
    pass(3_600_000)
    expect(await former.verify(token)).toBe('without_exp')
    expect([former.reads(), former.failures()]).toEqual([2, 1])
    pass(24 * 3_600_000)
    await expect(former.verify(token)).rejects.toMatchObject({ code: 'keys_unavailable' })
  })

  test('503 keys_unavailable: nothing listens there', async () => {
    const [row] = legacyIssuers.parse([
      { issuer, algorithm: 'RS256', jwks_url: 'http://127.0.0.1:1/', ends_at: '2999-01-01T00:00:00Z' },
    ])
    if (!row) throw new Error('no issuer')
    const key = await createIssuerKey(row, { secrets: {} })
    const verify = createLegacyTokenVerifier({ issuers: [{ issuer: row, key }] })
    await expect(verify(tokenOf(keys))).rejects.toMatchObject({ code: 'keys_unavailable' })
  })
})

describe('keys that are configured', () => {
  let weak: ReturnType<typeof createKeys>['jwk']
  beforeAll(async () => {
    const { generateKeyPairSync } = await import('node:crypto')
    const pair = generateKeyPairSync('rsa', { modulusLength: 1024 })
    weak = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'weak', use: 'sig', alg: 'RS256' }
  })

  test.each<[string, () => object, string]>([
    [
      'an RSA key of 1,024 bits',
      () => weak,
      'LEGACY_ISSUERS: jwks of "https://old.example.com" must have RSA keys of at least 2048 bits',
    ],
    [
      'a key without its modulus',
      () => ({ kty: 'RSA', e: 'AQAB' }),
      'LEGACY_ISSUERS: jwks of "https://old.example.com" must have keys that RS256 can use',
    ],
  ])('are rejected at the start: %s', async (_, jwk, reason) => {
    const [row] = legacyIssuers.parse([
      { issuer, algorithm: 'RS256', jwks: { keys: [jwk()] }, ends_at: '2999-01-01T00:00:00Z' },
    ])
    if (!row) throw new Error('no issuer')
    await expect(createIssuerKey(row, { secrets: {} })).rejects.toMatchObject({ reasons: [reason] })
  })
})
