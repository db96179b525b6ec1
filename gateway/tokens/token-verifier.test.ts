import { hash } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { createClock } from '../../test/support/clock.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, type GatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { audience, createIssuer, encodePart, issuer as issuerUrl } from '../../test/support/gateway/issuer.ts'
import { createTokenVerifier } from './token-verifier.ts'

const clock = createClock()
let harness: GatewayHarness
beforeEach(async () => {
  harness = await createGatewayHarness({ now: clock.now, environment: { LIMIT_ADDRESS_REQUESTS: '1000000' } })
})

const call = (token: string) => harness.call('/closed', { headers: bearer(token) })

/** Sends a token that must not be believed. */
async function expectRefused(token: string) {
  const answer = await call(token)
  expect(answer.status).toBe(401)
  expect((await problem(answer)).code).toBe('invalid_token')
  expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
  expect(harness.forwarded).toHaveLength(0)
}

async function expectAccepted(token: string) {
  expect((await call(token)).status).toBe(200)
}

/** A token signed with HMAC by a secret of the attacker's choice. */
async function signHmac(secret: Uint8Array, hash: string, header: object): Promise<string> {
  const signed = `${encodePart(header)}.${encodePart(harness.issuer.claims())}`
  const key = await crypto.subtle.importKey('raw', Uint8Array.from(secret), { name: 'HMAC', hash }, false, [
    'sign',
  ])
  return `${signed}.${Buffer.from(await crypto.subtle.sign('HMAC', key, Buffer.from(signed))).toString('base64url')}`
}

test('200: a token of the issuer, for us, in its time', async () => {
  await expectAccepted(await harness.issuer.sign())
})

describe('algorithms', () => {
  test.each(['none', 'None', 'nOnE', 'NONE', ''])(
    '401 invalid_token: alg %s, with and without a signature',
    async (alg) => {
      const kid = harness.issuer.publicJwk.kid
      const unsigned = `${encodePart({ alg, kid, typ: 'at+jwt' })}.${encodePart(harness.issuer.claims())}`
      await expectRefused(`${unsigned}.`)
      await expectRefused(unsigned)
      await expectRefused(`${unsigned}.${await harness.issuer.signature(unsigned)}`)
    },
  )

  // The verifier that takes the algorithm from the token would use the public key, which everyone
  // has, as a shared secret.
  test('401 invalid_token: HS256 signed with the public key, in any form of it', async () => {
    const { publicJwk, jwks } = harness.issuer
    const key = await crypto.subtle.importKey(
      'jwk',
      publicJwk,
      { name: 'ECDSA', namedCurve: 'P-256' },
      true,
      ['verify'],
    )
    const spki = new Uint8Array(await crypto.subtle.exportKey('spki', key))
    const lines = Buffer.from(spki)
      .toString('base64')
      .replaceAll(/(.{64})/g, '$1\n')
    const pem = `-----BEGIN PUBLIC KEY-----\n${lines}\n-----END PUBLIC KEY-----\n`
    const header = { kid: publicJwk.kid, typ: 'at+jwt' }
    for (const secret of [
      spki,
      ...[pem, JSON.stringify(publicJwk), JSON.stringify(jwks)].map((text) => Buffer.from(text)),
    ]) {
      await expectRefused(await signHmac(secret, 'SHA-256', { ...header, alg: 'HS256' }))
      await expectRefused(await signHmac(secret, 'SHA-256', { ...header, alg: 'ES256' }))
    }
  })

  test('401 invalid_token: another algorithm than the key is for', async () => {
    for (const alg of ['ES384', 'RS256', 'EdDSA', 'es256', 'HS256'])
      await expectRefused(await harness.issuer.sign({}, { alg }))
  })

  test('401 invalid_token: a signature that is wrong by one bit, cut short, empty, or all zero', async () => {
    const [header, payload, signature = ''] = (await harness.issuer.sign()).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    bytes[0] = (bytes[0] ?? 0) ^ 1
    for (const forged of [
      bytes.toString('base64url'),
      signature.slice(0, -4),
      '',
      encodePart('\0'.repeat(64)),
    ])
      await expectRefused(`${header}.${payload}.${forged}`)
  })

  // Each spelling would be a token of its own to whoever remembers tokens.
  test('401 invalid_token: the same signature in another spelling of base64url', async () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const token = await harness.issuer.sign()
    const lastDigit = alphabet.indexOf(token.at(-1) ?? '')
    for (let ignored = 1; ignored < 16; ignored++)
      await expectRefused(token.slice(0, -1) + alphabet[lastDigit + ignored])
    await expectAccepted(token)
  })

  test('401 invalid_token: the payload of another token under this signature', async () => {
    const [header, , signature] = (await harness.issuer.sign()).split('.')
    await expectRefused(`${header}.${encodePart(harness.issuer.claims({ role: 'superadmin' }))}.${signature}`)
  })
})

describe('headers', () => {
  // An attacker would have us fetch a key, or take the one he sent along (RFC 8725, sections 3.9
  // and 3.10).
  test('401 invalid_token: jwk, jku, x5u, x5c or crit in the header, and nothing is fetched', async () => {
    const own = await createIssuer(clock.now)
    const reads = harness.keyReads()
    const kid = harness.issuer.publicJwk.kid
    const url = 'http://127.0.0.1:1/keys'
    for (const header of [
      { jwk: own.publicJwk },
      { jku: url },
      { x5u: url },
      { x5c: ['AA=='] },
      { crit: ['exp'], exp: 1 },
    ]) {
      await expectRefused(await own.sign({}, { kid, ...header }))
      await expectRefused(await harness.issuer.sign({}, header))
    }
    await expectRefused(await harness.issuer.sign({}, { b64: false, crit: ['b64'] }))
    await expectRefused(await harness.issuer.sign({}, { crit: [] }))
    expect(harness.keyReads()).toBe(reads)
  })

  test('401 invalid_token: kid of SQL, of a path, of another type, missing, or 6 kB long', async () => {
    const reads = harness.keyReads()
    for (const kid of [
      "' or 1=1 --",
      '../../../../dev/null',
      '/etc/passwd',
      '__proto__',
      '',
      'x'.repeat(6_000),
      7,
      null,
      undefined,
      ['x'],
      {},
    ])
      await expectRefused(await harness.issuer.sign({}, { kid }))
    expect(harness.keyReads()).toBe(reads)
  })

  test('401 invalid_token: kid of 10 kB, or anything else that long', async () => {
    await expectRefused(await harness.issuer.sign({}, { kid: 'x'.repeat(10_000) }))
    await expectRefused(await harness.issuer.sign({ features: Array(2000).fill('feature') }))
  })

  test('401 invalid_token: typ of another kind of token', async () => {
    for (const typ of ['JWT', 'rt+jwt', 'gatehouse-assertion+jwt', 'at+jwt2', 7, undefined])
      await expectRefused(await harness.issuer.sign({}, { typ }))
  })
})

describe('claims', () => {
  test('401 invalid_token: iss that differs in one letter', async () => {
    for (const iss of [
      'http://127.0.0.1:8080/',
      'HTTP://127.0.0.1:8080',
      'http://evil.example',
      '',
      undefined,
      ['http://127.0.0.1:8080'],
    ])
      await expectRefused(await harness.issuer.sign({ iss }))
  })

  test('401 invalid_token: another aud, or none', async () => {
    for (const aud of ['another', 'Gatehouse', '', undefined, [], ['another'], 7])
      await expectRefused(await harness.issuer.sign({ aud }))
  })

  test('401 invalid_token: a claim that is missing, or of the wrong type', async () => {
    for (const name of [
      'sub',
      'sid',
      'jti',
      'iat',
      'exp',
      'role',
      'level',
      'permissions',
      'plan',
      'features',
      'quota',
      'epoch',
      'client_id',
    ])
      await expectRefused(await harness.issuer.sign({ [name]: undefined }))
    for (const claim of [
      { sub: 'ada' },
      { level: '100' },
      { level: 101 },
      { permissions: 'all' },
      { quota: 0 },
      { quota: -1 },
      { quota: 1e9 + 0.5 },
      { epoch: 1 },
    ])
      await expectRefused(await harness.issuer.sign(claim))
  })

  test('401 invalid_token: right iss and kid, but the key of another issuer', async () => {
    const other = await createIssuer(clock.now)
    await expectRefused(await other.sign({}, { kid: harness.issuer.publicJwk.kid }))
    await expectRefused(await other.sign())
  })
})

describe('time', () => {
  test('exp: good for five more seconds, for clocks that differ, and then 401 invalid_token', async () => {
    const exp = clock.seconds
    await expectRefused(await harness.issuer.sign({ exp: exp - 5 }))
    await expectAccepted(await harness.issuer.sign({ exp: exp - 4 }))
  })

  test('nbf: five seconds ahead are a clock that differs, six are 401 invalid_token', async () => {
    await expectRefused(await harness.issuer.sign({ nbf: clock.seconds + 6 }))
    await expectAccepted(await harness.issuer.sign({ nbf: clock.seconds + 5 }))
  })

  test('401 invalid_token: dates that are not numbers', async () => {
    for (const date of ['9999999999', '2030-01-01', null, true, [9999999999], {}, {}]) {
      await expectRefused(await harness.issuer.sign({ exp: date }))
      await expectRefused(await harness.issuer.sign({ iat: date }))
      await expectRefused(await harness.issuer.sign({ nbf: date }))
    }
  })

  // A thief of a signing key chooses the exp himself, and keeps his token warm.
  test('401 invalid_token: a token seen before outlives the withdrawal of its key by one recheck at the most', async () => {
    let published: unknown
    const leaked = await createGatewayHarness({
      now: clock.now,
      environment: { JWKS_CACHE_SECONDS: '60' },
      keys: (jwks) => published ?? jwks,
    })
    const other = await createIssuer()
    const token = await leaked.issuer.sign({ exp: clock.seconds + 10 * 365 * 86_400 })
    const status = async () => (await leaked.call('/closed', { headers: bearer(token) })).status
    for (let times = 0; times < 3; times++) expect(await status()).toBe(200)
    published = other.jwks
    clock.advance(60)
    await leaked.call('/ready')
    expect(await status()).toBe(401)
  })

  test('401 invalid_token: a token seen before does not outlive its exp', async () => {
    const token = await harness.issuer.sign({ exp: clock.seconds + 60 })
    await expectAccepted(token)
    clock.advance(64)
    await expectAccepted(token)
    clock.advance(1)
    expect((await call(token)).status).toBe(401)
    expect((await call(token)).status).toBe(401)
  })
})

describe('forms', () => {
  test('401 invalid_token: JSON serialization, flattened and general', async () => {
    const [protectedHeader, payload, signature] = (await harness.issuer.sign()).split('.')
    await expectRefused(JSON.stringify({ protected: protectedHeader, payload, signature }))
    await expectRefused(JSON.stringify({ payload, signatures: [{ protected: protectedHeader, signature }] }))
  })

  test('401 invalid_token: five parts, as an encrypted token has', async () => {
    await expectRefused(
      `${encodePart({ alg: 'dir', enc: 'A256GCM' })}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`,
    )
    await expectRefused(`${await harness.issuer.sign()}.AAAA.AAAA`)
  })

  test('401 invalid_token: a string that is no JWT', async () => {
    for (const token of ['x', '..', 'a.b.c', '=.=.=', `${await harness.issuer.sign()}=`, '%00', 'null', '{}'])
      await expectRefused(token)
    const [, payload, signature] = (await harness.issuer.sign()).split('.')
    for (const header of ['null', '7', '[]', '{"alg":"ES256"', ''])
      await expectRefused(`${encodePart(header)}.${payload}.${signature}`)
  })
})

describe('the cache of verified tokens', () => {
  test('never mixes two users up: 200 of them, interleaved, five times', async () => {
    const harness = await createGatewayHarness({
      now: clock.now,
      // Claims in the assertion that the upstream trusts.
      upstream: ({ headers }) => new Response(headers.get('gatehouse-assertion')),
    })
    const users = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const email = `user-${index}@example.com`
        return { email, token: await harness.issuer.sign({ email }) }
      }),
    )
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(
        users.map(({ token }) => harness.call('/closed', { headers: bearer(token) })),
      )
      for (const [index, answer] of answers.entries()) {
        const [, payload = ''] = (await answer.text()).split('.')
        expect(JSON.parse(Buffer.from(payload, 'base64url').toString()).user.email).toBe(users[index]?.email)
      }
    }
  })

  test.each([
    ['by their digests', (token: string) => hash('sha256', token, 'latin1')],
    ['whole', undefined],
  ])(
    'two users whose tokens share a hash, cached %s: each keeps their own identity',
    async (_name, digest) => {
      const { issuer } = harness
      const tokens = createTokenVerifier({
        keys: { find: () => () => true },
        issuer: issuerUrl,
        audience,
        recheckSeconds: 300,
        now: clock.now,
        digest,
      })
      // Of a mark that two genuine signatures share nobody has an example: these are genuine by
      // decree.
      const [one, other] = ['one', 'other'].map((name, at) => {
        const header = { alg: 'ES256', kid: issuer.publicJwk.kid, typ: 'at+jwt' }
        const signature = `${'AB'[at]}${'x'.repeat(84)}A`
        const email = `${name}@example.com`
        return {
          email,
          token: [encodePart(header), encodePart(issuer.claims({ email })), signature].join('.'),
        }
      }) as [{ email: string; token: string }, { email: string; token: string }]
      for (const { token, email } of [one, other, other, other, one, one, one, other, one, other]) {
        const { identity } = tokens.lookup(token) ?? (await tokens.verify(token, '203.0.113.7'))
        expect(identity.email).toBe(email)
      }
      clock.advance(2)
      expect(tokens.lookup(one.token)).toBeUndefined()
      expect(tokens.lookup(other.token)?.identity.email).toBe(other.email)
    },
  )

  test('401 invalid_token: another payload under the signature of a token that has just come three times', async () => {
    const token = await harness.issuer.sign()
    for (let times = 0; times < 3; times++) expect((await call(token)).status).toBe(200)
    const [header, , signature] = token.split('.')
    const claims = harness.issuer.claims({ role: 'superadmin' })
    expect((await call(`${header}.${encodePart(claims)}.${signature}`)).status).toBe(401)
    expect((await call(token)).status).toBe(200)
  })

  test('keeps no token that was rejected', async () => {
    const token = await harness.issuer.sign({ nbf: clock.seconds + 10 })
    await expectRefused(token)
    clock.advance(10)
    await expectAccepted(token)
  })
})
