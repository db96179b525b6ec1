import { SignJWT } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { createClock } from '../../test/support/clock.ts'
import { createIssuer } from '../../test/support/issuer.ts'
import { createAssertionOpener, type OpenAssertion, sealAssertion } from './assertion.ts'
import { identitySchema } from './claims.ts'
import { generateKey, importKey, importWebSigner } from './jwk.ts'

const gateway = await generateKey()
const stranger = await generateKey()
const gatewayKey = await importKey(gateway.privateJwk)
const gatewaySigner = await importWebSigner(gateway.privateJwk)
const strangerSigner = await importWebSigner(stranger.privateJwk)
const user = identitySchema.parse((await createIssuer()).claims())

let clock: ReturnType<typeof createClock>
let open: OpenAssertion

beforeEach(async () => {
  clock = createClock()
  open = await createAssertionOpener({ keys: [gateway.publicJwk], audience: 'origin', now: clock.now })
})

const seal = ({ signer = gatewaySigner, audience = 'origin', lifeSeconds = 300, ageSeconds = 0 } = {}) =>
  sealAssertion(user, {
    signer,
    audience,
    nowSeconds: clock.seconds - ageSeconds,
    expiresAtSeconds: clock.seconds - ageSeconds + lifeSeconds,
  })

/** An assertion in which one thing is not as the gateway makes it. */
function sealOddly({ header = {}, claims = {} }: { header?: object; claims?: Record<string, unknown> }) {
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

describe('is opened', () => {
  test('with its user, or without one', async () => {
    expect(await open(await seal())).toMatchObject({ user })
    const anonymous = {
      signer: gatewaySigner,
      audience: 'origin',
      nowSeconds: clock.seconds,
      expiresAtSeconds: clock.seconds + 300,
    }
    expect(await open(await sealAssertion(null, anonymous))).toMatchObject({ user: null })
    expect(await open(await sealOddly({}))).toMatchObject({ user })
  })

  test('under any of several keys, so that a key can be changed', async () => {
    const both = await createAssertionOpener({
      keys: [gateway.publicJwk, stranger.publicJwk],
      audience: 'origin',
      now: clock.now,
    })
    for (const signer of [gatewaySigner, strangerSigner])
      expect(await both(await seal({ signer }))).toBeDefined()
  })

  test('up to five seconds after its end, for clocks that differ', async () => {
    const sealed = await seal()
    clock.advance(304)
    expect(await open(sealed)).toBeDefined()
  })

  test('up to 30 seconds before its beginning, for a gateway whose clock is ahead', async () => {
    expect(await open(await seal({ ageSeconds: -30 }))).toBeDefined()
    expect(await open(await seal({ ageSeconds: -31 }))).toBeUndefined()
  })
})

describe('is refused', () => {
  test('for another audience', async () => {
    for (const audience of ['reports', 'Origin', ''])
      expect(await open(await seal({ audience }))).toBeUndefined()
  })

  test('past its life, also where it was opened before', async () => {
    const sealed = await seal()
    expect(await open(sealed)).toBeDefined()
    clock.advance(305)
    expect(await open(sealed)).toBeUndefined()
    const again = await createAssertionOpener({
      keys: [gateway.publicJwk],
      audience: 'origin',
      now: clock.now,
    })
    expect(await again(sealed)).toBeUndefined()
  })

  // Whoever gets hold of one should not have it for a day, whatever its end says.
  test('older than five minutes, whatever its end says', async () => {
    expect(await open(await seal({ lifeSeconds: 86_400, ageSeconds: 306 }))).toBeUndefined()
    const sealed = await seal({ lifeSeconds: 86_400 })
    expect(await open(sealed)).toBeDefined()
    clock.advance(306)
    expect(await open(sealed)).toBeUndefined()
  })

  test('signed by a stranger, under his key id or ours', async () => {
    expect(await open(await seal({ signer: strangerSigner }))).toBeUndefined()
    expect(await open(await seal({ signer: { ...strangerSigner, kid: gatewayKey.kid } }))).toBeUndefined()
  })

  test('a user token, with the very same key', async () => {
    expect(await open(await sealOddly({ header: { typ: 'at+jwt' } }))).toBeUndefined()
    expect(await open(await sealOddly({ header: { typ: undefined } }))).toBeUndefined()
    expect(await open(await (await createIssuer(clock.now)).sign())).toBeUndefined()
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
      expect(await open(await sealOddly({ claims })), JSON.stringify(claims)).toBeUndefined()
  })

  test('changed by one character, cut, doubled, or nothing at all', async () => {
    const sealed = await seal()
    const [header, payload, signature] = sealed.split('.')
    const changed = Buffer.from(
      JSON.stringify({
        ...JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()),
        user: { ...user, role: 'superadmin' },
      }),
    ).toString('base64url')
    for (const forged of [
      `${header}.${changed}.${signature}`,
      sealed.slice(0, -2),
      `${header}.${payload}.`,
      `${sealed}, ${sealed}`,
      '',
      'x',
      '..',
    ])
      expect(await open(forged), forged).toBeUndefined()
  })

  test('unsigned, or signed with the public key as a secret', async () => {
    const [, payload] = (await seal()).split('.')
    const none = Buffer.from(
      JSON.stringify({ alg: 'none', kid: gatewayKey.kid, typ: 'gatehouse-assertion+jwt' }),
    ).toString('base64url')
    expect(await open(`${none}.${payload}.`)).toBeUndefined()
    const secret = Buffer.from(JSON.stringify(gateway.publicJwk))
    const hmac = await new SignJWT({ user })
      .setProtectedHeader({ alg: 'HS256', kid: gatewayKey.kid, typ: 'gatehouse-assertion+jwt' })
      .setIssuer('gatehouse-gateway')
      .setAudience('origin')
      .setIssuedAt(clock.seconds)
      .setExpirationTime(clock.seconds + 300)
      .sign(secret)
    expect(await open(hmac)).toBeUndefined()
  })
})
