import { createHmac } from 'node:crypto'
import { decodeJwt, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Identity, identitySchema } from '../../shared/auth/claims.ts'
import { generateKey, importKey, importWebSigner, privateJwkSchema } from '../../shared/auth/jwk.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { assertionFrom } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
let accessToken: string
let user: Identity
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  const { tokens } = await fullStack.signUp('ada@example.com')
  accessToken = tokens.access_token
  user = identitySchema.parse(decodeJwt(accessToken))
})
afterAll(() => fullStack.close())

const nowSeconds = () => Math.floor(Date.now() / 1000)
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const gatewayKey = () =>
  importKey(privateJwkSchema.parse(JSON.parse(fullStack.secrets.ASSERTION_PRIVATE_JWK)))
const payload = () => ({
  user,
  iss: 'gatehouse-gateway',
  aud: 'origin',
  iat: nowSeconds(),
  exp: nowSeconds() + 300,
})

/** A token of the gateway's own key with a header and claims of ours. */
async function signedByGateway(header: Record<string, unknown>, claims: Record<string, unknown>) {
  const { kid, key } = await gatewayKey()
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'gatehouse-assertion+jwt', ...header })
    .sign(key, { crit: { 'urn:example:new': false } })
}

async function expectUntrusted(headers: Record<string, string>) {
  const requests = [
    ['/v1/me', { headers }],
    [
      '/auth/login',
      {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ email: 'ada@example.com', password: 'correct horse battery' }),
      },
    ],
    ['/no/such/path', { headers }],
  ] as const
  for (const [path, init] of requests) {
    const answer = await fullStack.originFetch(path, init)
    expect(answer.status, path).toBe(401)
    expect(answer.headers.get('www-authenticate'), path).toBe('Gatehouse-Assertion')
    expect((await problem(answer)).code, path).toBe('untrusted_caller')
  }
}

describe('the origin believes', () => {
  test('200: the gateway, for the user of its assertion', async () => {
    const answer = await fullStack.originFetch('/v1/me', {
      headers: { [assertionHeader]: await assertionFrom(fullStack, user) },
    })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({ id: user.sub })
  })

  test.each(['/live', '/ready', '/health', '/.well-known/jwks.json'])(
    '200: anonymous requests for %s',
    async (path) => {
      expect((await fullStack.originFetch(path)).status).toBe(200)
    },
  )
})

// An attacker on the internal network, or around the gateway, controls the whole request.
describe('the origin rejects, 401 untrusted_caller,', () => {
  test('a request without an assertion', () => expectUntrusted({}))

  test.each([
    ['an empty one', ''],
    ['a word', 'admin'],
    ['an identity in plain JSON', '{"user":{"role":"superadmin"}}'],
    ['10 kB of dots', '.'.repeat(10_000)],
  ])('a header that a client sent: %s', (_, value) => expectUntrusted({ [assertionHeader]: value }))

  test('headers that other systems trust', () =>
    expectUntrusted({
      'x-user-id': user.sub,
      'x-user-role': 'superadmin',
      'x-forwarded-user': 'ada@example.com',
    }))

  // A stolen access token is worth nothing here: it is for the gateway, which checks that it was
  // not revoked.
  test("a user's own access token, as bearer and as assertion", async () => {
    await expectUntrusted(bearer(accessToken))
    await expectUntrusted({ [assertionHeader]: accessToken })
    await expectUntrusted({ ...bearer(accessToken), [assertionHeader]: `Bearer ${accessToken}` })
  })

  // Another upstream could replay an assertion that it received.
  test('an assertion for another upstream', async () => {
    await expectUntrusted({
      [assertionHeader]: await assertionFrom(fullStack, user, { audience: 'reports' }),
    })
  })

  test('an assertion that has expired', async () => {
    const issued = nowSeconds() - 310
    const jwt = await assertionFrom(fullStack, user, { nowSeconds: issued, expiresAtSeconds: issued + 300 })
    await expectUntrusted({ [assertionHeader]: jwt })
  })

  test('an assertion older than 300 seconds, with any exp', async () => {
    const jwt = await assertionFrom(fullStack, user, {
      nowSeconds: nowSeconds() - 310,
      expiresAtSeconds: nowSeconds() + 3600,
    })
    await expectUntrusted({ [assertionHeader]: jwt })
  })

  test('an assertion from the future', async () => {
    const jwt = await assertionFrom(fullStack, user, { nowSeconds: nowSeconds() + 60 })
    await expectUntrusted({ [assertionHeader]: jwt })
  })

  test("an assertion signed by another key, under its own kid and under the gateway's", async () => {
    const { sign, kid } = await importWebSigner((await generateKey()).privateJwk)
    for (const name of [kid, (await gatewayKey()).kid])
      await expectUntrusted({
        [assertionHeader]: await assertionFrom(fullStack, user, { signer: { kid: name, sign } }),
      })
  })

  test.each(['none', 'None', 'nOnE', 'NONE'])('an assertion without a signature, alg %s', async (alg) => {
    const { kid } = await gatewayKey()
    const head = base64url({ alg, kid, typ: 'gatehouse-assertion+jwt' })
    await expectUntrusted({ [assertionHeader]: `${head}.${base64url(payload())}.` })
    const [, , signature] = (await assertionFrom(fullStack, user)).split('.')
    await expectUntrusted({ [assertionHeader]: `${head}.${base64url(payload())}.${signature}` })
  })

  // The public key is public: as a secret of HS256 it would be a key for everybody.
  test('an assertion under HS256 with the public key as its secret', async () => {
    const { kid } = await gatewayKey()
    const signed = `${base64url({ alg: 'HS256', kid, typ: 'gatehouse-assertion+jwt' })}.${base64url(payload())}`
    const [publicJwk] = JSON.parse(fullStack.secrets.ASSERTION_PUBLIC_JWKS).keys
    const signature = createHmac('sha256', JSON.stringify(publicJwk)).update(signed).digest('base64url')
    await expectUntrusted({ [assertionHeader]: `${signed}.${signature}` })
  })

  test('an assertion whose content was changed after it was signed', async () => {
    const [head, , signature] = (await assertionFrom(fullStack, user)).split('.')
    const changed = base64url({ ...payload(), user: { ...user, role: 'superadmin', level: 100 } })
    await expectUntrusted({ [assertionHeader]: `${head}.${changed}.${signature}` })
  })

  // The control: with nothing changed, the hand-made token is believed, so each refusal below is
  // for its own reason.
  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['of another type', { typ: 'at+jwt' }, {}],
    ['without a type', { typ: undefined }, {}],
    ['of another issuer', {}, { iss: 'someone-else' }],
    ['without an issuer', {}, { iss: undefined }],
    ['without an audience', {}, { aud: undefined }],
    ['without an end', {}, { exp: undefined }],
    ['without a beginning', {}, { iat: undefined }],
    ['with an end in words', {}, { exp: 'tomorrow' }],
    ['without saying whether there is a user', {}, { user: undefined }],
    ['with half a user', {}, { user: { sub: '7', role: 'superadmin' } }],
    ['with a kid that is a path', { kid: '../../etc/passwd' }, {}],
    ['with a kid of 10 kB', { kid: 'k'.repeat(10_000) }, {}],
    ['with a critical extension we do not know', { crit: ['urn:example:new'], 'urn:example:new': 1 }, {}],
  ])("an assertion of the gateway's key %s", async (_, header, claims) => {
    const whole = await fullStack.originFetch('/v1/me', {
      headers: { [assertionHeader]: await signedByGateway({}, payload()) },
    })
    expect(whole.status).toBe(200)
    await expectUntrusted({ [assertionHeader]: await signedByGateway(header, { ...payload(), ...claims }) })
  })
})
