import { SignJWT } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { createClock } from '../../test/support/clock.ts'
import { createIssuer } from '../../test/support/gateway/issuer.ts'
import { signAssertion } from '../../test/support/sign-assertion.ts'
import { createAssertionVerifier, type VerifyAssertion } from './assertion.ts'
import { identitySchema } from './claims.ts'
import { generateKey, importKey, importWebSigner } from './jwk.ts'

const gateway = await generateKey()
const stranger = await generateKey()
const gatewayKey = await importKey(gateway.privateJwk)
const gatewaySigner = await importWebSigner(gateway.privateJwk)
const strangerSigner = await importWebSigner(stranger.privateJwk)
const user = identitySchema.parse((await createIssuer()).claims())

let clock: ReturnType<typeof createClock>
let verify: VerifyAssertion

beforeEach(async () => {
  clock = createClock()
  verify = await createAssertionVerifier({ keys: [gateway.publicJwk], audience: 'origin', now: clock.now })
})

const sign = ({ signer = gatewaySigner, audience = 'origin', lifeSeconds = 300, ageSeconds = 0 } = {}) =>
  signAssertion(user, {
    signer,
    audience,
    nowSeconds: clock.seconds - ageSeconds,
    expiresAtSeconds: clock.seconds - ageSeconds + lifeSeconds,
  })

/** An assertion in which one thing is not as the gateway makes it. */
function signOddly({ header = {}, claims = {} }: { header?: object; claims?: Record<string, unknown> }) {
  const payload = {
    iss: 'gatehouse-gateway',
    aud: 'origin',
    iat: clock.seconds,
    exp: clock.seconds + 300,
    user,
    ...claims,
  }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'ES256', kid: gatewayKey.kid, typ: 'gatehouse-assertion+jwt', ...header })
    .sign(gatewayKey.key)
}

describe('is verified', () => {
  test('with its user, or without one', async () => {
    expect(await verify(await sign())).toMatchObject({ user })
    const anonymous = {
      signer: gatewaySigner,
      audience: 'origin',
      nowSeconds: clock.seconds,
      expiresAtSeconds: clock.seconds + 300,
    }
    expect(await verify(await signAssertion(null, anonymous))).toMatchObject({ user: null })
    expect(await verify(await signOddly({}))).toMatchObject({ user })
  })

  test('under any of several keys, so that a key can be changed', async () => {
    const both = await createAssertionVerifier({
      keys: [gateway.publicJwk, stranger.publicJwk],
      audience: 'origin',
      now: clock.now,
    })
    for (const signer of [gatewaySigner, strangerSigner])
      expect(await both(await sign({ signer }))).toBeDefined()
  })

  test('up to five seconds after its end, for clocks that differ', async () => {
    const jwt = await sign()
    clock.advance(304)
    expect(await verify(jwt)).toBeDefined()
  })

  test('up to 30 seconds before its beginning, for a gateway whose clock is ahead', async () => {
    expect(await verify(await sign({ ageSeconds: -30 }))).toBeDefined()
    expect(await verify(await sign({ ageSeconds: -31 }))).toBeUndefined()
  })
})

describe('is rejected', () => {
  test('for another audience', async () => {
    for (const audience of ['reports', 'Origin', ''])
      expect(await verify(await sign({ audience }))).toBeUndefined()
  })

  test('after it expired, also where it was verified before', async () => {
    const jwt = await sign()
    expect(await verify(jwt)).toBeDefined()
    clock.advance(305)
    expect(await verify(jwt)).toBeUndefined()
    const again = await createAssertionVerifier({
      keys: [gateway.publicJwk],
      audience: 'origin',
      now: clock.now,
    })
    expect(await again(jwt)).toBeUndefined()
  })

  // A stolen assertion must not be valid for a day, even if its exp says so.
  test('older than five minutes, with any exp', async () => {
    expect(await verify(await sign({ lifeSeconds: 86_400, ageSeconds: 306 }))).toBeUndefined()
    const jwt = await sign({ lifeSeconds: 86_400 })
    expect(await verify(jwt)).toBeDefined()
    clock.advance(306)
    expect(await verify(jwt)).toBeUndefined()
  })

  test('signed by an unknown key, under its own kid or a known one', async () => {
    expect(await verify(await sign({ signer: strangerSigner }))).toBeUndefined()
    expect(await verify(await sign({ signer: { ...strangerSigner, kid: gatewayKey.kid } }))).toBeUndefined()
  })

  test('a user token, with the very same key', async () => {
    expect(await verify(await signOddly({ header: { typ: 'at+jwt' } }))).toBeUndefined()
    expect(await verify(await signOddly({ header: { typ: undefined } }))).toBeUndefined()
    expect(await verify(await (await createIssuer(clock.now)).sign())).toBeUndefined()
  })

  test('of another issuer, without a date, or without a user that is whole', async () => {
    for (const claims of [
      { iss: 'http://127.0.0.1:8080' },
      { iss: undefined },
      { aud: undefined },
      { exp: undefined },
      { iat: undefined },
      { iat: clock.seconds + 60 },
      { user: undefined },
      { user: {} },
      { user: { ...user, level: 1000 } },
    ])
      expect(await verify(await signOddly({ claims })), JSON.stringify(claims)).toBeUndefined()
  })

  test('changed by one character, cut, doubled, or nothing at all', async () => {
    const jwt = await sign()
    const [header, payload, signature] = jwt.split('.')
    const changed = Buffer.from(
      JSON.stringify({
        ...JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()),
        user: { ...user, role: 'superadmin' },
      }),
    ).toString('base64url')
    for (const forged of [
      `${header}.${changed}.${signature}`,
      jwt.slice(0, -2),
      `${header}.${payload}.`,
      `${jwt}, ${jwt}`,
      '',
      'x',
      '..',
    ])
      expect(await verify(forged), forged).toBeUndefined()
  })

  test('unsigned, or signed with the public key as a secret', async () => {
    const [, payload] = (await sign()).split('.')
    const none = Buffer.from(
      JSON.stringify({ alg: 'none', kid: gatewayKey.kid, typ: 'gatehouse-assertion+jwt' }),
    ).toString('base64url')
    expect(await verify(`${none}.${payload}.`)).toBeUndefined()
    const secret = Buffer.from(JSON.stringify(gateway.publicJwk))
    const hmac = await new SignJWT({ user })
      .setProtectedHeader({ alg: 'HS256', kid: gatewayKey.kid, typ: 'gatehouse-assertion+jwt' })
      .setIssuer('gatehouse-gateway')
      .setAudience('origin')
      .setIssuedAt(clock.seconds)
      .setExpirationTime(clock.seconds + 300)
      .sign(secret)
    expect(await verify(hmac)).toBeUndefined()
  })
})
