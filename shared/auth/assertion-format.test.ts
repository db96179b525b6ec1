import fc from 'fast-check'
import { jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import {
  assertionIssuer,
  assertionType,
  encodeAssertionHeader,
  encodePersonalPart,
  encodeSharedPart,
  sharedClaimsOf,
} from './assertion-format.ts'
import { algorithm, type Identity } from './claims.ts'
import { generateKey, importKey, importWebSigner } from './jwk.ts'

const { publicJwk, privateJwk } = await generateKey()
const signer = await importWebSigner(privateJwk)
const { key } = await importKey(publicJwk)

/** Any text that JSON can carry, with characters of one to four bytes and lone surrogates. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', '"', '\\', '\n', '}', '"}}', '\ud800', 'ü', '漢字', '🔑', 'a  '),
)
const list = fc.array(text, { maxLength: 200 })
const version = fc.nat()

const identities: fc.Arbitrary<Identity> = fc.record({
  sub: fc.uuid(),
  sid: fc.uuid(),
  jti: text,
  email: text,
  role: text,
  level: fc.integer({ min: 0, max: 100 }),
  permissions: list,
  plan: text,
  features: list,
  quota: fc.integer({ min: 1 }),
  epoch: fc.record({ user: version, role: version, plan: version }),
  amr: list,
  acr: fc.constantFrom('aal1', 'aal2'),
  auth_time: version,
})

async function sign(user: Identity | null, audience: string, issuedAt: number): Promise<string> {
  const shared = user && sharedClaimsOf(user)
  const personal = encodePersonalPart(user, issuedAt, issuedAt + 300)
  const signed = encodeAssertionHeader(signer.kid) + personal + encodeSharedPart(shared, audience)
  return `${signed}.${await signer.sign(signed)}`
}

describe('an assertion that is joined from parts', () => {
  test('is a JWT that jose verifies, with exactly the claims of its user', async () => {
    await fc.assert(
      fc.asyncProperty(fc.option(identities), text, fc.nat(2 ** 31), async (user, audience, issuedAt) => {
        const jwt = await sign(user, audience, issuedAt)
        // Three parts of base64url without padding (RFC 7515, section 7.1).
        expect(jwt).toMatch(/^[\w-]+\.[\w-]+\.[\w-]{86}$/)
        const { payload, protectedHeader } = await jwtVerify(jwt, key, {
          algorithms: [algorithm],
          typ: assertionType,
          issuer: assertionIssuer,
          audience,
          currentDate: new Date(issuedAt * 1000),
        })
        expect(protectedHeader).toEqual({ alg: algorithm, kid: publicJwk.kid, typ: assertionType })
        expect(payload).toEqual({
          user,
          iss: assertionIssuer,
          aud: audience,
          iat: issuedAt,
          exp: issuedAt + 300,
        })
      }),
      { numRuns: 500 },
    )
  })

  test('has a shared part without anything of one user', () => {
    fc.assert(
      fc.property(identities, identities, ({ sub, sid, jti, email, auth_time }, other) => {
        const sibling = { ...other, sub, sid, jti, email, auth_time }
        expect(encodeSharedPart(sharedClaimsOf(sibling), 'reports')).toBe(
          encodeSharedPart(sharedClaimsOf(other), 'reports'),
        )
      }),
    )
  })
})
