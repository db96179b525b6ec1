import { beforeAll, describe, expect, test } from 'vitest'
import { generateSecrets, type Secrets } from '../dev/secrets.ts'
import { ConfigError, readConfig, type VariableName, variables } from './config.ts'

let secrets: Secrets
beforeAll(async () => {
  secrets = await generateSecrets()
})

/** The reasons why these variables cannot be used; none where they can. */
function reasonsOf(
  names: readonly VariableName[],
  environment: Record<string, string>,
  fileNames: string[] = [],
) {
  try {
    readConfig(names, environment, fileNames)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.reasons
  }
}

const fragmentReason = 'must have no query and no fragment: links add a path and a fragment of their own'

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

describe('LEGACY_VERIFIER_URL', () => {
  const names = ['LEGACY_VERIFIER_URL', 'LEGACY_VERIFIER_SECRET'] as const
  const LEGACY_VERIFIER_SECRET = base64(Uint8Array.from({ length: 32 }, (_, index) => index))

  test('is https, or http within the machine', () => {
    for (const url of [
      'https://old.example.com/verify',
      'http://127.0.0.1:9000/verify',
      'http://localhost:9000',
    ])
      expect(reasonsOf(names, { LEGACY_VERIFIER_URL: url, LEGACY_VERIFIER_SECRET })).toEqual([])
    for (const url of [
      'http://old.example.com/verify',
      'http://127.example.com',
      'http://localhost.example.com',
    ])
      expect(reasonsOf(names, { LEGACY_VERIFIER_URL: url, LEGACY_VERIFIER_SECRET })).toEqual([
        'LEGACY_VERIFIER_URL: must be https, as passwords are sent there; http within the machine alone',
      ])
  })

  test('needs the secret that signs its requests, and the secret needs it', () => {
    const reason = 'LEGACY_VERIFIER_URL and LEGACY_VERIFIER_SECRET need each other: requests are signed'
    expect(reasonsOf(names, { LEGACY_VERIFIER_URL: 'https://old.example.com' })).toEqual([reason])
    expect(reasonsOf(names, { LEGACY_VERIFIER_SECRET })).toEqual([reason])
    expect(reasonsOf(names, {})).toEqual([])
  })
})

describe('reads', () => {
  test('what is set, and the default of what is not', () => {
    const config = readConfig(['GATEWAY_PORT', 'ORIGIN_PORT', 'CORS_ORIGINS', 'REDIS_URL'], {
      GATEWAY_PORT: '9000',
      CORS_ORIGINS: 'https://app.example.com, http://localhost:5173',
    })
    expect(config).toEqual({
      GATEWAY_PORT: 9000,
      ORIGIN_PORT: 8081,
      CORS_ORIGINS: ['https://app.example.com', 'http://localhost:5173'],
      REDIS_URL: undefined,
    })
  })

  test('secrets and keys as they are made by npm run secrets', () => {
    const names = [
      'KEY_ENCRYPTION_KEY',
      'PASSWORD_DIGEST_KEY',
      'ASSERTION_PRIVATE_JWK',
      'ASSERTION_PUBLIC_JWKS',
    ] as const
    const config = readConfig(names, secrets)
    expect(config.KEY_ENCRYPTION_KEY).toHaveLength(32)
    expect(config.ASSERTION_PUBLIC_JWKS.keys[0]?.kid).toBe(config.ASSERTION_PRIVATE_JWK.kid)
    expect(config.ASSERTION_PUBLIC_JWKS.keys[0]).not.toHaveProperty('d')
  })

  test('DATABASE_POOLER as a part of DATABASE_URL, for commands too', () => {
    const environment = { DATABASE_URL: 'postgres://db/app', DATABASE_POOLER: 'transaction' }
    expect(readConfig(['DATABASE_URL'], environment).DATABASE_URL).toBe('postgres://db/app?pgbouncer=true')
  })

  test('an empty variable as one that is not set', () => {
    expect(readConfig(['GATEWAY_PORT'], { GATEWAY_PORT: '' }).GATEWAY_PORT).toBe(8080)
    expect(reasonsOf(['DATABASE_URL'], { DATABASE_URL: '' })).toHaveLength(1)
  })

  test('variables of other programs without a word', () => {
    expect(reasonsOf(['HOST'], { PATH: '/bin', DATABASE_TYPE: 'x', npm_config_x: 'y', GATE: 'z' })).toEqual(
      [],
    )
  })
})

describe('rejects, naming the variable', () => {
  test('missing: each that has no default', () => {
    expect(reasonsOf(['DATABASE_URL', 'KEY_ENCRYPTION_KEY', 'HOST'], {})).toEqual([
      'DATABASE_URL is missing (.env.example says what it is)',
      'KEY_ENCRYPTION_KEY is missing (.env.example says what it is)',
    ])
  })

  test('all that is wrong at once, in one message', () => {
    const environment = { GATEWAY_PORT: 'x', LOG_LEVEL: 'loud', LIMIT_TYPO: '1' }
    expect(() => readConfig(['GATEWAY_PORT', 'LOG_LEVEL', 'DATABASE_URL'], environment)).toThrow(
      /^The configuration is not usable:\n {2}- GATEWAY_PORT: .+\n {2}- LOG_LEVEL: .+\n {2}- DATABASE_URL is missing.+\n {2}- LIMIT_TYPO .+$/,
    )
  })

  test.each<[VariableName, string[]]>([
    ['GATEWAY_PORT', ['x', '0', '65536', '80.5', '-1', 'Infinity']],
    ['LOG_LEVEL', ['trace', 'INFO']],
    ['NODE_ENV', ['prod', 'Production']],
    ['ORIGIN_URL', ['origin:8081', 'ftp://origin', '/origin', 'localhost']],
    ['REDIS_URL', ['http://redis', 'redis', 'memcached://redis']],
    ['REVOCATION_REDIS_URL', ['http://redis', 'off', 'None', 'redis://one,rediss://two']],
    ['DATABASE_URL', ['mysql://db/x', 'db', 'postgres']],
    [
      'CORS_ORIGINS',
      [
        '*',
        'null',
        'app.example.com',
        'https://app.example.com/',
        'https://app.example.com/path',
        'https://a.example, *',
      ],
    ],
    ['CORS_EXPOSED_HEADERS', ['*', 'X-A: b', 'x y', 'X-A,*']],
    ['CORS_MAX_AGE_SECONDS', ['-1', '86401', '10m']],
    ['TRUSTED_PROXY_HOPS', ['-1', '11', 'true', '1.5']],
    [
      'TRUSTED_PROXY_CIDRS',
      [
        '10.0.0.0/33',
        '10.0.0/8',
        'proxy.internal',
        '0.0.0.0/0',
        '0.0.0.0/1,128.0.0.0/1',
        '10.0.0.0/7',
        '::/0',
        '2000::/15',
        '::ffff:10.0.0.0/104',
        '10.0.0.1, x',
      ],
    ],
    ['TRUSTED_PROXY_HEADER', ['x-real-ip', 'both', 'X-Forwarded-For,Forwarded']],
    ['PASSWORD_HASH_COST', ['9', '16', 'x']],
    ['LIMIT_ADDRESS_REQUESTS', ['0', '-5', '1.5']],
    ['ACCESS_TOKEN_SECONDS', ['59', '3601', '15m']],
    ['ASSERTION_PRIVATE_JWK', ['{', 'null', '[]', '{}', '{"kty":"RSA"}']],
    ['ASSERTION_PUBLIC_JWKS', ['{"keys":[]}', '[]', '{"keys":{}}', '{"keys":[{"kty":"oct","k":"x"}]}']],
  ])('malformed: %s', (name, values) => {
    for (const value of values) {
      const reasons = reasonsOf([name], { [name]: value })
      expect(reasons.length, value).toBeGreaterThan(0)
      for (const reason of reasons) expect(reason).toMatch(new RegExp(`^${name}: .+`))
    }
  })

  test('malformed: GATEWAY_PROCESSES, with what it may be', () => {
    for (const value of ['0', '-1', '1e9', '257', '1.5', 'foo', 'MAX'])
      expect(reasonsOf(['GATEWAY_PROCESSES'], { GATEWAY_PROCESSES: value }), value).toEqual([
        expect.stringMatching(/^GATEWAY_PROCESSES: must be (?:max or )?a whole number from 1 to 256$/),
      ])
  })

  test('ineffective: a header of trusted proxies where no proxy is trusted', () => {
    const names = ['TRUSTED_PROXY_HOPS', 'TRUSTED_PROXY_CIDRS', 'TRUSTED_PROXY_HEADER'] as const
    const header = { TRUSTED_PROXY_HEADER: 'forwarded' }
    expect(reasonsOf(names, header)).toEqual([expect.stringMatching(/^TRUSTED_PROXY_HEADER needs /)])
    expect(reasonsOf(names, { ...header, TRUSTED_PROXY_HOPS: '1' })).toEqual([])
    expect(reasonsOf(names, { ...header, TRUSTED_PROXY_CIDRS: '10.0.0.0/8' })).toEqual([])
  })

  test.each<[VariableName, string, string]>([
    ['ACCESS_TOKEN_SECONDS', '15m', 'must be a whole number of seconds (900, not 15m) from 60 to 3600'],
    ['ACCESS_TOKEN_SECONDS', '59', 'must be a whole number of seconds (900, not 15m) from 60 to 3600'],
    ['GATEWAY_PORT', '80.5', 'must be a whole number from 1 to 65535'],
    ['UPSTREAMS', '{"orders":"localhost:8090"}', 'orders must be a URL of http or https'],
    ['UPSTREAMS', '{"orders":"http://orders/v1"}', 'orders must be a URL without a path'],
    ['UPSTREAMS', '{"orders":"http://orders#x"}', 'orders must be a URL without a query and a fragment'],
    ['UPSTREAMS', '{"Orders":"http://o"}', 'Orders must be a name of lower-case letters, digits and -'],
    ['UPSTREAMS', '{"origin":"http://o"}', 'origin must not be named: its URL is ORIGIN_URL'],
    [
      'UPSTREAMS',
      '{"origin-gateway":"http://o"}',
      "origin-gateway must not be named: assertions for it are the gateway's own",
    ],
    [
      'UPSTREAMS',
      '["http://o"]',
      'must be an object of base URLs by name: {"orders":"http://127.0.0.1:8090"}',
    ],
    [
      'ASSERTION_PRIVATE_JWK',
      '{"kty":"EC"}',
      'must be a private JWK of P-256 as npm run secrets prints it; missing or wrong: crv, x, y, kid, d',
    ],
    [
      'ASSERTION_PUBLIC_JWKS',
      '{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"k"}]}',
      'must be a JWKS of P-256 as npm run secrets prints it; missing or wrong: keys.0.x, keys.0.y',
    ],
    ['HOST', '[::1]', 'must be an address without brackets'],
    ['FRONTEND_URL', 'https://a.example/app?lang=de', fragmentReason],
    ['FRONTEND_URL', 'https://a.example/#/app', fragmentReason],
    ['ISSUER_URL', 'https://a.example?x', 'must have no query and no fragment (RFC 8414)'],
  ])('%s=%s with one reason that says what is right', (name, value, reason) => {
    expect(reasonsOf([name], { [name]: value })).toEqual([`${name}: ${reason}`])
  })

  test.each<[VariableName, string]>([
    ['UPSTREAMS', '{"orders":"http://user:pw@orders:8090"}'],
    ['ORIGIN_URL', 'http://user:pw@origin:8081'],
    ['ISSUER_URL', 'https://user:pw@auth.example.com'],
    ['UPGRADE_URL', 'https://user@shop.example.com'],
    ['FRONTEND_URL', 'https://user:pw@app.example.com'],
  ])('a user and a password that would be ignored: %s=%s', (name, value) => {
    const [reason] = reasonsOf([name], { [name]: value })
    expect(reason).toContain('must have no user name or password, as neither is sent')
  })

  // With new URL: mail.example.com, then 'user' on port 12, 'u' on port 1 and again 'u' on port 1.
  test.each(['user:p@ss@mail.example.com', 'user:12/s@mail.example.com', 'u:1#x@mail', 'u:1?w@mail'])(
    'a password that is not escaped and would be sent to another host: smtp://%s',
    (rest) => {
      const [reason, ...more] = reasonsOf(['SMTP_URL'], { SMTP_URL: `smtp://${rest}` })
      expect(reason).toMatch(/^SMTP_URL: must have (only one @|\/ as %2F)/)
      expect(more).toEqual([])
    },
  )

  test.each<[VariableName, string]>([
    ['DATABASE_URL', 'postgres://user:p@ss@db/gatehouse'],
    ['DATABASE_URL', 'postgres://user:12/s@db/gatehouse'],
    ['DATABASE_URL', 'postgres://user:100%@db/gatehouse'],
    ['REDIS_URL', 'redis://user:p@ss@redis'],
    ['SMTP_URL', 'smtp://user:100%@mail'],
  ])('the same of other servers: %s=%s', (name, value) => {
    expect(reasonsOf([name], { [name]: value })).toHaveLength(1)
  })

  test.each(['smtp://mail:25', 'smtps://u%40x:p%2Fw@mail', 'smtp://mail?requireTLS=false&name=a.example'])(
    'no mail server that is written as it should be: %s',
    (value) => {
      expect(reasonsOf(['SMTP_URL'], { SMTP_URL: value })).toEqual([])
    },
  )

  test.each([
    ['Gatehouse', 'must have an address'],
    ['Gatehouse <>', 'must have an address'],
    ['Gatehouse <no-reply>', 'must have an address'],
    ['a@b.example, c@d.example', 'must have an address'],
    ['Example, Inc. <a@b.example>', 'must have a name with , ; : @ or brackets in quotes'],
    ['Ops (EU) <a@b.example>', 'must have a name with , ; : @ or brackets in quotes'],
  ])('a sender that mails would not have: MAIL_FROM=%s', (value, reason) => {
    const reasons = reasonsOf(['MAIL_FROM'], { MAIL_FROM: value })
    expect(reasons).toEqual([expect.stringMatching(`^MAIL_FROM: ${reason}`)])
  })

  test.each(['a@b.example', 'Example Inc. <a@b.example>', '"Example, Inc." <a@b.example>', '<a@b.example>'])(
    'no sender that mails would have: MAIL_FROM=%s',
    (value) => {
      expect(reasonsOf(['MAIL_FROM'], { MAIL_FROM: value })).toEqual([])
    },
  )

  // A phrase, a pattern or a row of zeros has the length of a secret and nothing else of it.
  test('a weak secret: too short, too long, repeated, no base64', () => {
    const weak = [
      base64(new Uint8Array(32)),
      base64(new Uint8Array(32).fill(7)),
      base64(Buffer.from('changeme'.repeat(4))),
      base64(crypto.getRandomValues(new Uint8Array(31))),
      base64(crypto.getRandomValues(new Uint8Array(33))),
      'correct horse battery staple and more',
      'changeme',
    ]
    for (const name of ['KEY_ENCRYPTION_KEY', 'PASSWORD_DIGEST_KEY'] as const)
      for (const value of weak)
        expect(reasonsOf([name], { [name]: value })[0], value).toMatch(new RegExp(`^${name}: `))
  })

  test('unknown: a variable under a prefix of this project, which is a typo', () => {
    for (const name of [
      'GATEWAY_PROT',
      'ORIGIN_URI',
      'LIMIT_ADDRESS',
      'PASSWORD_HASH_COSTS',
      'CORS_ORIGIN',
      'TRUSTED_PROXY_HOP',
      'ACCESS_TOKEN_TTL',
    ])
      expect(reasonsOf(['HOST'], { [name]: 'x' })).toEqual([`${name} is not a variable of Gatehouse`])
  })

  test.each(['0', '100'])('removed: LIMIT_LEASE=%s, with the reason and what to do', (value) => {
    const reasons = reasonsOf(['HOST'], { LIMIT_LEASE: value })
    expect(reasons).toEqual([expect.stringMatching(/^LIMIT_LEASE was removed: .*Delete it/)])
    expect(reasonsOf(['HOST'], { LIMIT_LEASE: value }, ['LIMIT_LEASE'])).toEqual(reasons)
  })

  test('unknown: any name in .env, which has variables of this project only', () => {
    const environment = { HOST: '127.0.0.1', REDIS_ULR: 'redis://x', PATH: '/bin' }
    expect(reasonsOf(['HOST'], environment, ['HOST', 'REDIS_ULR'])).toEqual([
      'REDIS_ULR is not a variable of Gatehouse',
    ])
  })

  test('never with the value, which may be a secret', () => {
    const value = 'S3cr3t-V4lue'
    const texts = [value, `{"kty":"EC","d":"${value}"}`, `${value}==`, `redis:${value}`]
    const reasons = (Object.keys(variables) as VariableName[]).flatMap((name) =>
      texts.flatMap((text) => reasonsOf([name], { [name]: text })),
    )
    expect(reasons.length).toBeGreaterThan(200)
    for (const reason of reasons) expect(reason).not.toContain(value)
    expect(reasonsOf(['HOST'], { GATEWAY_SECRET: value })[0]).not.toContain(value)
  })
})

describe('rejects in production', () => {
  const inProduction = (name: VariableName, value: string) =>
    reasonsOf([name], { NODE_ENV: 'production', [name]: value })

  test.each(['http://auth.example.com', 'HTTP://auth.example.com', ' http://auth.example.com'])(
    'a page that is not https: "%s"',
    (value) => {
      for (const name of ['ISSUER_URL', 'FRONTEND_URL', 'UPGRADE_URL'] as const)
        expect(inProduction(name, value)).toEqual([`${name} must be https in production`])
    },
  )

  test.each([
    'tls.rejectUnauthorized=false',
    'tls.rejectUnauthorized=0',
    'ignoreTLS=true',
    'requireTLS=true&ignoreTLS=1',
    'secure=false',
  ])('a mail server without TLS, or with any certificate: ?%s', (query) => {
    expect(inProduction('SMTP_URL', `smtps://user:pw@mail.example.com?${query}`)).toEqual([
      'SMTP_URL must not turn TLS or the check of its certificate off in production',
    ])
    expect(reasonsOf(['SMTP_URL'], { SMTP_URL: `smtps://user:pw@mail.example.com?${query}` })).toEqual([])
  })

  test('no other option of a mail server', () => {
    for (const query of ['', '?requireTLS=false', '?ignoreTLS=false&tls.rejectUnauthorized=true&name=x'])
      expect(inProduction('SMTP_URL', `smtp://user:pw@mail.example.com${query}`)).toEqual([])
  })
})

// The last character of 32 bytes in base64 has two bits that say nothing.
test('rejects one secret for two purposes, however it is spelled', () => {
  const { REFRESH_TOKEN_KEY: one } = secrets
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const last = letters.indexOf(one.at(-2) as string)
  const other = `${one.slice(0, -2)}${letters[last + 1]}=`
  expect(base64(Buffer.from(other, 'base64'))).toBe(one)
  expect(
    reasonsOf(['REFRESH_TOKEN_KEY', 'DEVICE_COOKIE_KEY'], {
      REFRESH_TOKEN_KEY: one,
      DEVICE_COOKIE_KEY: other,
    }),
  ).toEqual(['REFRESH_TOKEN_KEY and DEVICE_COOKIE_KEY must differ: each secret is for one purpose'])
})
