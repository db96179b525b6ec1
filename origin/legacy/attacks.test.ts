import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { forceRace } from '../../test/support/full-stack/force-race.ts'
import {
  claimsOf,
  createKeys,
  hmac,
  insertImported,
  nowSeconds,
  signJwtParts,
} from '../../test/support/full-stack/former-system.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { createIssuer, encodePart } from '../../test/support/gateway/issuer.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const withSecret = 'https://secret.example.com'
const withKeys = 'https://keys.example.com'
const withRsa = 'https://rsa.example.com'
const ends_at = '2999-01-01T00:00:00Z'
const secret = 'a secret of the former system, 32 bytes and more'
const keys = createKeys('ES256', 'key-1')
const rsa = createKeys('RS256', 'key-2')
const stranger = createKeys('ES256', 'key-1')

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({
    environment: {
      ...highLimits,
      LEGACY_ISSUERS: JSON.stringify([
        { issuer: withSecret, algorithm: 'HS256', ends_at },
        {
          issuer: withKeys,
          algorithm: 'ES256',
          jwks: { keys: [keys.jwk] },
          audience: 'shop',
          required_claims: { use: 'access' },
          ends_at,
        },
        { issuer: withRsa, algorithm: 'RS256', jwks: { keys: [rsa.jwk] }, ends_at },
      ]),
      LEGACY_ISSUER_SECRETS: JSON.stringify({ [withSecret]: secret }),
    },
  })
  await insertImported(fullStack.sql, 'victim', { role: 'superadmin' })
})
afterAll(() => fullStack.close())

const exchange = (token: string) => fullStack.post('/auth/exchange', { legacy_token: token })

async function outcomeOf(response: Response) {
  return response.ok ? '200' : `${response.status} ${(await problem(response)).code}`
}

const victim = { sub: 'victim' }
const accepted = { aud: 'shop', use: 'access', ...victim }
const header = { alg: 'ES256', kid: keys.kid, typ: 'JWT' }
const ofSecret = (claims = {}, alg = 'HS256') =>
  signJwtParts({ alg }, claimsOf(withSecret, { ...victim, ...claims }), hmac(secret))
const ofKeys = (claims = {}, head: object = {}, sign = keys.sign) =>
  signJwtParts({ ...header, ...head }, claimsOf(withKeys, { ...accepted, ...claims }), sign)

const pem = String(rsa.pair.publicKey.export({ format: 'pem', type: 'spki' }))
const der = Buffer.from(rsa.pair.publicKey.export({ format: 'der', type: 'spki' }))
const confused = (key: string | Buffer, alg = 'HS256') =>
  signJwtParts({ alg, kid: rsa.kid }, claimsOf(withRsa, victim), hmac(key))

describe('a token that opens no session and leaves no row', () => {
  test.each<[string, () => string | Promise<string>]>([
    ...['none', 'None', 'nOnE', ''].flatMap((alg): [string, () => string][] => [
      [
        `alg ${alg || '(empty)'} without a signature`,
        () => signJwtParts({ alg }, claimsOf(withSecret, victim), () => ''),
      ],
      [`alg ${alg || '(empty)'} with a signature`, () => ofSecret({}, alg)],
    ]),
    ['HS256 signed with the public key in PEM', () => confused(pem)],
    ['HS256 signed with the public key in PEM, trimmed', () => confused(pem.trim())],
    ['HS256 signed with the public key in DER', () => confused(der)],
    ['HS256 signed with the public key as JWK', () => confused(JSON.stringify(rsa.jwk))],
    ['HS256 signed with the modulus', () => confused(Buffer.from(rsa.jwk.n ?? '', 'base64url'))],
    ['RS256 in the header, an HMAC with the public key behind it', () => confused(pem, 'RS256')],
    [
      'another algorithm with the same secret',
      () => signJwtParts({ alg: 'HS512' }, claimsOf(withSecret, victim), hmac(secret, 512)),
    ],
    [
      'the algorithm of another issuer',
      () => signJwtParts({ alg: 'HS256' }, claimsOf(withKeys, accepted), hmac(secret)),
    ],
    ['the key of another issuer', () => signJwtParts(header, claimsOf(withSecret, victim), keys.sign)],
    [
      'a wrong secret',
      () => signJwtParts({ alg: 'HS256' }, claimsOf(withSecret, victim), hmac(`${secret} `)),
    ],
    ['an empty secret', () => signJwtParts({ alg: 'HS256' }, claimsOf(withSecret, victim), hmac(''))],
    ['another key under the right kid', () => ofKeys({}, {}, stranger.sign)],
    ['a wrong kid', () => ofKeys({}, { kid: 'key-9' })],
    ['a kid of SQL', () => ofKeys({}, { kid: "' or 1=1 --" })],
    ['a kid that is a path', () => ofKeys({}, { kid: '../../../../dev/null' })],
    ['a kid that is no text', () => ofKeys({}, { kid: ['key-1'] })],
    ['its own key in the header', () => ofKeys({}, { kid: undefined, jwk: stranger.jwk }, stranger.sign)],
    [
      'the address of its key in the header',
      () => ofKeys({}, { jku: 'https://evil.example/jwks' }, stranger.sign),
    ],
    ['an unknown crit', () => ofKeys({}, { crit: ['exp'], exp: 1 })],
    ['an expired token', () => ofSecret({ exp: nowSeconds() - 60 })],
    ['an exp that is a text', () => ofSecret({ exp: `${nowSeconds() + 60}` })],
    ['an exp that is null', () => ofSecret({ exp: null })],
    ['a token of tomorrow', () => ofSecret({ nbf: nowSeconds() + 86_400 })],
    ['an issuer that differs in a letter', () => ofSecret({ iss: `${withSecret}/` })],
    ['no issuer', () => ofSecret({ iss: undefined })],
    ['a list of issuers', () => ofSecret({ iss: [withSecret] })],
    ['another audience', () => ofKeys({ aud: 'mail' })],
    ['no audience', () => ofKeys({ aud: undefined })],
    ['another use, as of a link to reset a password', () => ofKeys({ use: 'password_reset' })],
    ['no use', () => ofKeys({ use: undefined })],
    ['somebody who acts for the victim', () => ofSecret({ act: { sub: 'support' } })],
    ...[
      undefined,
      null,
      '',
      true,
      1.5,
      2 ** 53,
      ['victim'],
      { $eq: 'victim' },
      'victim\0',
      '\ud800',
      'x'.repeat(201),
    ].map((sub): [string, () => string] => [
      `the account ${JSON.stringify(sub)?.slice(0, 30)}`,
      () => ofSecret({ sub }),
    ]),
    ['a payload that is a list', () => signJwtParts({ alg: 'HS256' }, [victim], hmac(secret))],
    ['two parts', () => ofSecret().split('.').slice(0, 2).join('.')],
    ['five parts, as an encrypted token has', () => `${ofSecret()}.a.b`],
    ['a space behind it', () => `${ofSecret()} `],
    [
      'another payload under the signature',
      () => {
        const [head, , signature] = ofSecret({ sub: 'somebody' }).split('.')
        return `${head}.${encodePart(claimsOf(withSecret, victim))}.${signature}`
      },
    ],
    ['an access token', async () => (await createIssuer()).sign()],
  ])('401 legacy_token_invalid: %s', async (_, make) => {
    const before = await fullStack.sql`select count(*) from audit_logs`
    expect(await outcomeOf(await exchange(await make()))).toBe('401 legacy_token_invalid')
    expect(await fullStack.sql`select from sessions`).toEqual([])
    expect(await fullStack.sql`select count(*) from audit_logs`).toEqual(before)
  })
})

describe('a token that is presented 50 times at once', () => {
  test('200 once, 401 legacy_token_spent for all others, and one session', async () => {
    const userId = await insertImported(fullStack.sql, 'parallel')
    const token = ofSecret({ sub: 'parallel' })
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, async () => outcomeOf(await exchange(token))),
    )
    expect(outcomes.toSorted()).toEqual(['200', ...Array(49).fill('401 legacy_token_spent')])
    expect(await fullStack.sql`select from sessions where user_id = ${userId}`).toHaveLength(1)
  })

  test('200 once, where all of them meet in the database', async () => {
    const userId = await insertImported(fullStack.sql, 'meeting')
    const token = ofSecret({ sub: 'meeting' })
    const outcomes = await forceRace(fullStack, {
      at: `select from user_accounts where id = '${userId}' for update`,
      requests: () => Array.from({ length: 8 }, async () => outcomeOf(await exchange(token))),
      waiting: 8,
    })
    expect(outcomes.toSorted()).toEqual(['200', ...Array(7).fill('401 legacy_token_spent')])
  })

  test('200 once: an ECDSA signature in its other spelling is the same token', async () => {
    await insertImported(fullStack.sql, 'respelled')
    const token = ofKeys({ sub: 'respelled' })
    expect(await outcomeOf(await exchange(token))).toBe('200')
    expect(await outcomeOf(await exchange(respell(token)))).toBe('401 legacy_token_spent')
  })
})

/** The other signature of the same text that ECDSA accepts: (r, n - s). */
function respell(token: string): string {
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')
  const signed = token.slice(0, token.lastIndexOf('.'))
  const signature = Buffer.from(token.slice(signed.length + 1), 'base64url')
  const s = order - BigInt(`0x${signature.subarray(32).toString('hex')}`)
  const other = Buffer.concat([
    signature.subarray(0, 32),
    Buffer.from(s.toString(16).padStart(64, '0'), 'hex'),
  ])
  return `${signed}.${other.toString('base64url')}`
}

test('200: an exp beyond the calendar is stored as its end', async () => {
  await insertImported(fullStack.sql, 'patient')
  expect(await outcomeOf(await exchange(ofSecret({ sub: 'patient', exp: 1e300 })))).toBe('200')
  expect(await fullStack.sql`select from spent_legacy_tokens where expires_at > '9998-12-31'`).toHaveLength(1)
})

test('413 body_too_large: a token of 100 kB, before it is read', async () => {
  expect(await outcomeOf(await exchange('x'.repeat(100_000)))).toBe('413 body_too_large')
})

test('403 email_unverified: where a login would be refused for it, so is the exchange, and the token is not spent', async () => {
  const strict = await createFullStack({
    environment: {
      ...highLimits,
      REQUIRE_VERIFIED_EMAIL: 'true',
      LEGACY_ISSUERS: JSON.stringify([{ issuer: withSecret, algorithm: 'HS256', ends_at }]),
      LEGACY_ISSUER_SECRETS: JSON.stringify({ [withSecret]: secret }),
    },
  })
  try {
    const userId = await insertImported(strict.sql, 'victim', { verified: false })
    const token = ofSecret()
    const attempt = async () => outcomeOf(await strict.post('/auth/exchange', { legacy_token: token }))
    expect(await attempt()).toBe('403 email_unverified')
    await strict.sql`update user_accounts set email_verified_at = now() where id = ${userId}`
    expect(await attempt()).toBe('200')
  } finally {
    await strict.close()
  }
})
