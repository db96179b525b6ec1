import { describe, expect, test } from 'vitest'
import { createKeys } from '../test/support/full-stack/former-system.ts'
import { ConfigError, readConfig } from './config.ts'

const old = 'https://old.example.com'
const secret = 'a secret of the former system, 32 bytes and more'
const ec = createKeys('ES256', 'a').jwk
const rsa = createKeys('RS256', 'b').jwk
const ends_at = '2027-01-31T00:00:00Z'
const row = { issuer: old, algorithm: 'HS256', ends_at }
const withKeys = { issuer: old, algorithm: 'ES256', jwks: { keys: [ec] }, ends_at }

/** The variables of an origin, or the reasons why they cannot be used. */
function read(issuers: unknown, secrets: unknown = { [old]: secret }) {
  try {
    return readConfig(['ISSUER_URL', 'LEGACY_ISSUERS', 'LEGACY_ISSUER_SECRETS'], {
      ISSUER_URL: 'https://id.example.com',
      LEGACY_ISSUERS: typeof issuers === 'string' ? issuers : JSON.stringify(issuers),
      LEGACY_ISSUER_SECRETS: typeof secrets === 'string' ? secrets : JSON.stringify(secrets),
    })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.reasons
  }
}

describe('LEGACY_ISSUERS', () => {
  test('none by default', () => {
    expect(readConfig(['LEGACY_ISSUERS', 'LEGACY_ISSUER_SECRETS'], {})).toEqual({
      LEGACY_ISSUERS: [],
      LEGACY_ISSUER_SECRETS: {},
    })
  })

  test('an issuer with its defaults; a past end date is one, so that services restart after it', () => {
    expect(read([{ ...row, ends_at: '2020-01-01T01:00:00+01:00' }])).toMatchObject({
      LEGACY_ISSUERS: [
        {
          issuer: old,
          algorithm: 'HS256',
          account_claim: 'sub',
          external_id_prefix: '',
          required_claims: {},
          ends_at: Date.UTC(2020, 0, 1),
        },
      ],
      LEGACY_ISSUER_SECRETS: { [old]: new TextEncoder().encode(secret) },
    })
  })

  test('a gateway needs no secret', () => {
    const config = readConfig(['ISSUER_URL', 'LEGACY_ISSUERS'], { LEGACY_ISSUERS: JSON.stringify([row]) })
    expect(config.LEGACY_ISSUERS).toHaveLength(1)
  })

  test.each<[string, unknown, string]>([
    ['no JSON', 'https://old.example.com', 'must be JSON'],
    ['no list', row, 'must be a list of issuers'],
    ['texts', ['https://old.example.com'], 'must be objects'],
    ['a typo', [{ ...row, algoritm: 'HS256' }], 'algoritm is an unknown member'],
    ['no issuer', [{ ...row, issuer: undefined }], 'issuer must be a text'],
    ['no end date', [{ ...row, ends_at: undefined }], 'ends_at must be a time such as 2027-01-31T00:00:00Z'],
    ['a day', [{ ...row, ends_at: '2027-01-31' }], 'ends_at must be a time such as 2027-01-31T00:00:00Z'],
    ['an empty claim', [{ ...row, account_claim: '' }], 'account_claim must not be empty'],
    ['no name of a cookie', [{ ...row, cookie: 'a b' }], 'cookie must be the name of a cookie'],
    ['a secret', [{ ...row, secret }], 'secret is an unknown member'],
    [
      'an issuer twice',
      [row, { ...row, algorithm: 'HS512' }],
      'must have each issuer once: one issuer has one algorithm',
    ],
    [
      'keys beside a secret',
      [{ ...row, jwks: { keys: [ec] } }],
      'algorithm is HS256, whose secret is in LEGACY_ISSUER_SECRETS: it has no JWKS',
    ],
    [
      'no keys',
      [{ ...withKeys, jwks: undefined }],
      'algorithm is ES256, so it needs one of jwks and jwks_url',
    ],
    [
      'keys in two places',
      [{ ...withKeys, jwks_url: 'https://old.example.com/jwks' }],
      'algorithm is ES256, so it needs one of jwks and jwks_url',
    ],
    [
      'a key of another type',
      [{ ...withKeys, jwks: { keys: [{ ...rsa, alg: undefined }] } }],
      'jwks must have keys of the type EC for ES256',
    ],
    [
      'a key for another algorithm',
      [{ ...withKeys, jwks: { keys: [{ ...ec, alg: 'ES384' }] } }],
      'jwks must have no key for another algorithm than ES256',
    ],
    [
      'a private key',
      [{ ...withKeys, jwks: { keys: [{ ...ec, d: 'x' }] } }],
      'jwks.keys.d must not be there: the private key stays in the former system',
    ],
    [
      'a secret as a key',
      [{ ...withKeys, jwks: { keys: [{ kty: 'oct', k: 'x' }] } }],
      'jwks.keys.kty must be RSA, EC or OKP',
    ],
    [
      'two keys of one kid',
      [{ ...withKeys, jwks: { keys: [ec, ec] } }],
      'jwks.keys must have a kid each, and no two the same',
    ],
    [
      'a key set without TLS',
      [{ ...withKeys, jwks: undefined, jwks_url: 'http://old.example.com/jwks' }],
      'jwks_url must be https, as its keys are trusted; http within the machine alone',
    ],
  ])('is refused by its name: %s', (_, issuers, reason) => {
    const secrets = JSON.stringify(issuers).includes('ES256') ? {} : undefined
    expect(read(issuers, secrets)).toContain(`LEGACY_ISSUERS: ${reason}`)
  })

  test('is refused: no algorithm of a signature, `none` among them', () => {
    for (const algorithm of ['none', 'HS1', 'A128KW', ''])
      expect(read([{ ...row, algorithm }])).toContainEqual(
        expect.stringMatching(/^LEGACY_ISSUERS: algorithm must be one of HS256, /),
      )
  })

  test('is refused: the issuer of Gatehouse itself', () => {
    expect(read([{ ...withKeys, issuer: 'https://id.example.com' }], {})).toEqual([
      'LEGACY_ISSUERS must not name ISSUER_URL: its tokens are those of Gatehouse',
    ])
  })
})

describe('LEGACY_ISSUER_SECRETS', () => {
  test.each<[string, unknown, unknown, string]>([
    ['no JSON', [row], secret, 'LEGACY_ISSUER_SECRETS: must be JSON'],
    ['a list', [row], [secret], 'LEGACY_ISSUER_SECRETS: must be an object of secrets by issuer'],
    [
      'a short secret',
      [row],
      { [old]: 'secret' },
      `LEGACY_ISSUER_SECRETS: ${old} must have at least 32 bytes (RFC 7518, section 3.2): a shorter one can be guessed`,
    ],
    [
      'no base64',
      [row],
      { [old]: `base64:${secret}` },
      `LEGACY_ISSUER_SECRETS: ${old} must be base64 behind base64:`,
    ],
    ['none', [row], {}, `LEGACY_ISSUER_SECRETS has no secret of the issuer "${old}"`],
    [
      'one of an issuer with keys',
      [withKeys],
      { [old]: secret },
      `LEGACY_ISSUER_SECRETS names "${old}", which LEGACY_ISSUERS does not have with HS256, HS384 or HS512`,
    ],
  ])('is refused by its name: %s', (_, issuers, secrets, reason) => {
    expect(read(issuers, secrets)).toEqual([reason])
  })

  test('no reason quotes a secret', () => {
    expect(JSON.stringify(read([row], { [old]: 'short secret', else: secret }))).not.toMatch(
      /short secret|a secret of/,
    )
  })
})
