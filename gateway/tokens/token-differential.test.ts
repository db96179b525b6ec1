import fc from 'fast-check'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, test } from 'vitest'
import { accessTokenType, algorithm, clockLeewaySeconds } from '../../shared/auth/claims.ts'
import { importWebVerifier, type VerifySignature } from '../../shared/auth/jwk.ts'
import { TokenError, verifyAccessToken } from '../../shared/auth/verify-access-token.ts'
import { importNodeVerifier } from '../../shared/node/keys.ts'
import { createClock } from '../../test/support/clock.ts'
import { audience, createIssuer, encodePart, issuer } from '../../test/support/gateway/issuer.ts'

/** Tokens that each property looks at. */
const numRuns = 3000

// In the middle of a second: what is rounded shows.
const clock = createClock(Date.UTC(2026, 0, 1) + 900)
const trusted = await createIssuer(clock.now)
const other = await createIssuer(clock.now)
const jwks = createLocalJWKSet(trusted.jwks)
const verifiers = {
  'node:crypto': await importNodeVerifier(trusted.publicJwk),
  WebCrypto: await importWebVerifier(trusted.publicJwk),
}

async function isTakenBy(verify: VerifySignature, token: string): Promise<boolean> {
  try {
    const findKey = (kid: string) => (kid === trusted.publicJwk.kid ? verify : undefined)
    await verifyAccessToken(token, { findKey, issuer, audience, now: clock.now() })
    return true
  } catch (error) {
    // Any other error would be a fault of the verifier, and a 500.
    if (!(error instanceof TokenError)) throw error
    return false
  }
}

async function isTakenByJose(token: string): Promise<boolean> {
  try {
    await jwtVerify(token, jwks, {
      issuer,
      audience,
      algorithms: [algorithm],
      typ: accessTokenType,
      clockTolerance: clockLeewaySeconds,
      currentDate: new Date(clock.now()),
      requiredClaims: ['sub', 'jti', 'iat', 'exp'],
    })
    return true
  } catch {
    return false
  }
}

async function expectNoneThatJoseRefuses(token: string): Promise<void> {
  const byJose = await isTakenByJose(token)
  for (const [name, verify] of Object.entries(verifiers)) {
    const isWrong = (await isTakenBy(verify, token)) && !byJose
    expect(isWrong, `accepted with ${name}, rejected by jose: ${token}`).toBe(false)
  }
}

/** Values in JSON that an attacker signs, or that an issuer writes by mistake. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(null, true, 0, -1, 1.5, '', ' ', [], {}, 'at+jwt', issuer, audience, [audience]),
  fc.constantFrom<unknown>(
    `${issuer}/`,
    `${issuer} `,
    issuer.toUpperCase(),
    `${audience}\0`,
    'ES256',
    'none',
  ),
  fc.integer({ min: -10, max: 10 }).map((seconds) => clock.seconds + seconds),
  fc.integer({ min: -70, max: 70 }).map((tenths) => clock.seconds + tenths / 10),
  fc.string({ unit: 'binary' }),
  fc.jsonValue(),
)
const claimNames = ['iss', 'aud', 'sub', 'jti', 'exp', 'nbf', 'iat', 'client_id', 'cnf', '__proto__']
const headerNames = [
  'alg',
  'kid',
  'typ',
  'crit',
  'b64',
  'jwk',
  'jku',
  'x5u',
  'cty',
  'zip',
  'enc',
  '__proto__',
]

/** Members of a JSON object as text: later ones of the same name may come after the first. */
const members = (names: readonly string[]) =>
  fc.array(fc.tuple(fc.constantFrom(...names), odd), { maxLength: 3 })
const toJson = (base: object, added: readonly (readonly [string, unknown])[]) =>
  `${JSON.stringify(base).slice(0, -1)}${added.map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`).join('')}}`

const header = { alg: algorithm, kid: trusted.publicJwk.kid, typ: accessTokenType }

async function signed(headerText: string, payloadText: string, by = trusted): Promise<string> {
  const text = `${encodePart(headerText)}.${encodePart(payloadText)}`
  return `${text}.${await by.signature(text)}`
}

/** A change of the token's text, after it was signed. */
const edits = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat({ max: 3 }),
  insert: fc.oneof(
    fc.constant(''),
    fc.constantFrom(
      '=',
      '==',
      '.',
      '..',
      '+',
      '/',
      '-',
      '_',
      '\n',
      ' ',
      '\t',
      '\0',
      '%',
      '\u00e9',
      '\ufeff',
      'A',
    ),
    fc.string({ maxLength: 4 }),
  ),
})
const edit = (text: string, { at, remove, insert }: { at: number; remove: number; insert: string }) => {
  const from = Math.round(at * text.length)
  return text.slice(0, from) + insert + text.slice(from + remove)
}

describe('of thousands of tokens none is taken here that jose rejects', () => {
  test('headers and payloads that the issuer itself has signed, with members odd, missing or twice', async () => {
    let taken = 0
    await fc.assert(
      fc.asyncProperty(members(headerNames), members(claimNames), async (inHeader, inPayload) => {
        const token = await signed(toJson(header, inHeader), toJson(trusted.claims(), inPayload))
        await expectNoneThatJoseRefuses(token)
        if (await isTakenBy(verifiers['node:crypto'], token)) taken++
      }),
      { numRuns },
    )
    // Else it would hold for a verifier that takes nothing.
    expect(taken).toBeGreaterThan(100)
  }, 120_000)

  test('tokens whose text was changed: signature, padding, other alphabets, other characters', async () => {
    const token = await trusted.sign()
    await fc.assert(
      fc.asyncProperty(fc.array(edits, { minLength: 1, maxLength: 3 }), async (changes) => {
        await expectNoneThatJoseRefuses(changes.reduce(edit, token))
      }),
      { numRuns },
    )
  }, 120_000)

  test('each character of a signature changed into each other one', async () => {
    const token = await trusted.sign()
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const start = token.lastIndexOf('.') + 1
    for (let at = start; at < token.length; at += 1)
      for (const character of at === token.length - 1 ? alphabet : alphabet.slice(0, 8))
        await expectNoneThatJoseRefuses(token.slice(0, at) + character + token.slice(at + 1))
  }, 120_000)

  test('times around the leeway, to the tenth of a second', async () => {
    for (const name of ['exp', 'nbf', 'iat'])
      for (let tenths = -80; tenths <= 80; tenths++)
        await expectNoneThatJoseRefuses(await trusted.sign({ [name]: clock.seconds + tenths / 10 }))
  })

  test('texts that are no JSON object, and bytes that are no text', async () => {
    const texts = fc.oneof(
      fc.json(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', '{', '[]', 'null', '\ufeff{}'),
    )
    await fc.assert(
      fc.asyncProperty(texts, fc.boolean(), async (text, asHeader) => {
        const claims = JSON.stringify(trusted.claims())
        await expectNoneThatJoseRefuses(
          asHeader ? await signed(text, claims) : await signed(JSON.stringify(header), text),
        )
      }),
      { numRuns },
    )
    for (const bytes of [
      [0xff, 0xfe],
      [0xc0, 0x80],
      [0xed, 0xa0, 0x80],
    ]) {
      const payload = Buffer.concat([
        Buffer.from(JSON.stringify({ ...trusted.claims(), name: '' }).slice(0, -2)),
        Buffer.from(bytes),
        Buffer.from('"}'),
      ])
      const text = `${encodePart(header)}.${payload.toString('base64url')}`
      await expectNoneThatJoseRefuses(`${text}.${await trusted.signature(text)}`)
    }
  }, 120_000)

  test('tokens of an issuer with a similar name, and signatures of other texts', async () => {
    const good = await trusted.sign()
    const forged = await other.sign({}, { kid: trusted.publicJwk.kid })
    const [head = '', payload = '', signature = ''] = good.split('.')
    const [otherHead = '', otherPayload = '', otherSignature = ''] = forged.split('.')
    const parts = [head, payload, signature, otherHead, otherPayload, otherSignature, '', 'AA']
    for (const first of parts)
      for (const second of parts)
        for (const third of parts) await expectNoneThatJoseRefuses(`${first}.${second}.${third}`)
  }, 120_000)

  // s and n - s are both signatures of the same text: neither says more than the other.
  test('the edges of a signature: zeros, the order of the curve, the other half, DER instead of its own form', async () => {
    const token = await trusted.sign()
    const start = token.lastIndexOf('.') + 1
    const bytes = Buffer.from(token.slice(start), 'base64url')
    const [r, s] = [bytes.subarray(0, 32), bytes.subarray(32)]
    const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex')
    const zero = Buffer.alloc(32)
    const der = Buffer.concat([Buffer.from([0x30, 68, 2, 32]), r, Buffer.from([2, 32]), s])
    for (const forged of [
      Buffer.concat([zero, zero]),
      Buffer.concat([r, zero]),
      Buffer.concat([zero, s]),
      Buffer.concat([order, order]),
      Buffer.concat([r, order]),
      Buffer.concat([r, s, zero]),
      Buffer.concat([zero, r, s]),
      r,
      der,
      Buffer.alloc(0),
    ]) {
      await expectNoneThatJoseRefuses(token.slice(0, start) + forged.toString('base64url'))
      for (const verify of Object.values(verifiers))
        expect(await isTakenBy(verify, token.slice(0, start) + forged.toString('base64url'))).toBe(false)
    }
    for (const verify of Object.values(verifiers)) expect(await isTakenBy(verify, token)).toBe(true)
  })
})
