import * as z from 'zod'
import { gatewayAudience } from './auth/assertion.ts'
import { serviceAudience } from './auth/claims.ts'
import { privateJwkSchema, publicJwkSchema } from './auth/jwk.ts'
import {
  base,
  databaseServer,
  hasSafeTransport,
  issuer,
  mailServer,
  page,
  pageFolder,
  sender,
  verifier,
} from './config-urls.ts'
import { displayable, network } from './contract/fields.ts'
import { behindTransactionPooler } from './database-url.ts'
import { headerName, originPattern } from './http/origin-pattern.ts'
import {
  type LegacyIssuer,
  legacyIssuerFaults,
  legacyIssuerSecrets,
  legacyIssuers,
} from './legacy-issuers.ts'
import { listSchemaFaults } from './lib/schema-faults.ts'
import { parseRedisUrl, RedisUrlError } from './redis-url.ts'
import { UrlCredentialsError, withCredentials } from './url-credentials.ts'

/**
 * Every variable of every service, once. `.env.example` documents each; a test holds the two
 * together.
 */

/** A decimal number, or the reason with the range: what zod says of `15m` names NaN. */
function whole(min: number, max: number, unit = '') {
  const error = `must be a whole number${unit} from ${min} to ${max}`
  return z.coerce.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

const port = whole(1, 65_535)
const seconds = (min: number, max: number) => whole(min, max, ' of seconds (900, not 15m)')
const count = (min: number, max: number) => whole(min, max)

const host = z
  .string()
  .min(1)
  .refine((text) => !text.startsWith('['), { error: 'must be an address without brackets' })

const flag = z.enum(['true', 'false']).transform((text) => text === 'true')

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
)

const origins = list.pipe(z.array(originPattern))

/** Two one-bit networks cover all addresses; no owner has networks this large. */
function isNarrow(text: string): boolean {
  const [address, bits] = text.split('/')
  return bits === undefined || Number(bits) >= (address?.includes(':') ? 16 : 8)
}

/** A network of all addresses would let every client choose its own. */
const proxyNetwork = network.refine(isNarrow, {
  error: 'must not trust whole parts of the internet: a prefix of less than 8 bits, or 16 of IPv6',
})

const json = z.string().transform((text, context) => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    context.addIssue('must be JSON')
    return z.NEVER
  }
})

/**
 * A key or a set of keys, with one reason for all that is wrong in it: which members, and never
 * what they hold.
 */
const keys = <Schema extends z.ZodType>(schema: Schema, what: string) =>
  json.transform((value, context): z.output<Schema> => {
    const { data, error } = schema.safeParse(value)
    if (!error) return data
    const members = new Set(listSchemaFaults(error).map(({ path }) => path.join('.') || 'the whole of it'))
    context.addIssue(
      `must be ${what} of P-256 as npm run secrets prints it; missing or wrong: ${[...members].join(', ')}`,
    )
    return z.NEVER
  })

const upstreams = json.pipe(
  z
    .record(
      z.string().regex(/^[a-z][a-z0-9-]*$/, { error: 'must be a name of lower-case letters, digits and -' }),
      base,
      { error: 'must be an object of base URLs by name: {"orders":"http://127.0.0.1:8090"}' },
    )
    .refine((named) => !('origin' in named), {
      path: ['origin'],
      error: 'must not be named: its URL is ORIGIN_URL',
    })
    .refine((named) => !(gatewayAudience in named), {
      path: [gatewayAudience],
      error: "must not be named: assertions for it are the gateway's own",
    }),
)

function checkRedisUrl(text: string, context: z.core.$RefinementCtx): void {
  try {
    parseRedisUrl(text)
  } catch (error) {
    if (!(error instanceof RedisUrlError)) throw error
    context.addIssue(error.message)
  }
}

const redisUrl = z.string().superRefine(checkRedisUrl)

const redisUrlOrNone = z.string().superRefine((text, context) => {
  if (text === 'none') return
  if (text.includes('://')) checkRedisUrl(text, context)
  else context.addIssue('must be a URL such as redis://user:password@host:6379, or none')
})

/**
 * 32 random bytes in base64. A phrase or a repeated byte has few different ones; random bytes
 * practically never do.
 */
const secret = z
  .base64({ error: 'must be base64' })
  .transform((text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)))
  .refine((bytes) => bytes.length === 32, { error: 'must be 32 bytes in base64' })
  .refine((bytes) => new Set(bytes).size >= 16, { error: 'is too weak: take random bytes (npm run secrets)' })

/** A user or a password beside a URL: `url-credentials.ts` puts both into it. */
const credential = z.string().max(4096, { error: 'must have at most 4,096 characters' }).optional()

/** A role of PostgreSQL that a command makes. */
const roleName = z.string().regex(/^[a-z_][a-z\d_]{0,62}$/, {
  error: 'must be at most 63 lower-case letters, digits and _',
})
const rolePassword = z
  .string()
  .min(16, { error: 'is too weak: at least 16 characters' })
  .max(4096, { error: 'must have at most 4,096 characters' })

export const variables = {
  NODE_ENV: z.enum(['development', 'test', 'production']).default('development'),
  HOST: host.default('127.0.0.1'),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  DRAIN_SECONDS: seconds(1, 300).default(25),
  CLIENT_STALL_SECONDS: seconds(1, 86_400).default(600),
  METRICS_HOST: host.default('127.0.0.1'),
  DRAIN_DELAY_SECONDS: seconds(0, 300).default(5),

  ISSUER_URL: issuer.default('http://127.0.0.1:8080'),
  ACCESS_TOKEN_AUDIENCE: z
    .string()
    .min(1)
    .refine((audience) => audience !== serviceAudience, {
      error: `${serviceAudience} is the audience of service tokens`,
    })
    .default('gatehouse'),
  CORS_ORIGINS: origins.default([]),
  CORS_EXPOSED_HEADERS: list.pipe(z.array(headerName)).default([]),
  CORS_REQUEST_HEADERS: list.pipe(z.array(headerName)).optional(),
  CORS_MAX_AGE_SECONDS: seconds(0, 86_400).default(600),
  JWKS_CACHE_SECONDS: seconds(1, 86_400).default(300),

  GATEWAY_PORT: port.default(8080),
  GATEWAY_METRICS_PORT: port.optional(),
  POLICY_FILE: z.string().min(1).optional(),
  GATEWAY_PAGES: list
    .pipe(z.array(z.enum(['docs', 'admin', 'none'], { error: 'must be docs, admin, both, or none' })))
    .optional(),
  GATEWAY_REPLICAS: count(1, 10_000).default(1),
  GATEWAY_PROCESSES: z
    .union([z.literal('max'), count(1, 256)], { error: 'must be max or a whole number from 1 to 256' })
    .default(1),
  ORIGIN_URL: base.default('http://127.0.0.1:8081'),
  UPSTREAMS: upstreams.default({}),
  REDIS_URL: redisUrl.optional(),
  REVOCATION_REDIS_URL: redisUrlOrNone.optional(),
  REDIS_USER: credential,
  REDIS_PASSWORD: credential,
  REVOCATION_REDIS_USER: credential,
  REVOCATION_REDIS_PASSWORD: credential,
  REDIS_KEY_PREFIX: z.string().max(40).default('gatehouse:'),
  ASSERTION_PRIVATE_JWK: keys(privateJwkSchema, 'a private JWK'),
  ASSERTION_KEYS: z.enum(['own', 'origin']).default('own'),
  TRUSTED_PROXY_HOPS: count(0, 10).default(0),
  TRUSTED_PROXY_CIDRS: list.pipe(z.array(proxyNetwork)).default([]),
  TRUSTED_PROXY_HEADER: z.enum(['x-forwarded-for', 'forwarded']).default('x-forwarded-for'),
  UPGRADE_URL: page.default('http://127.0.0.1:3000/upgrade'),
  LEGACY_ISSUERS: json.pipe(legacyIssuers).default([]),
  LIMIT_ADDRESS_REQUESTS: count(1, 1_000_000).default(100),
  LIMIT_ADDRESS_SECONDS: seconds(1, 86_400).default(900),
  LIMIT_MAIL_REQUESTS: count(1, 1_000_000).default(100),
  LIMIT_MAIL_SECONDS: seconds(1, 86_400).default(900),
  LIMIT_ACCOUNT_REQUESTS: count(1, 1_000_000).default(1000),
  LIMIT_ACCOUNT_SECONDS: seconds(1, 86_400).default(900),
  LIMIT_FAILURES: count(1, 1_000_000).default(100),
  LIMIT_FAILURES_SECONDS: seconds(1, 86_400).default(900),
  LIMIT_CREDENTIALS_TRIES: count(1, 1_000_000).default(5),
  LIMIT_CREDENTIALS_SECONDS: seconds(1, 86_400).default(900),
  LIMIT_SERVICE_REQUESTS: count(1, 1_000_000).default(6000),
  LIMIT_SERVICE_SECONDS: seconds(1, 86_400).default(60),
  LIMIT_SENDER_MAILS: count(1, 1_000_000).default(200),
  LIMIT_RECIPIENT_MAILS: count(1, 1_000_000).default(10),
  LIMIT_DOMAIN_MAILS: count(1, 1_000_000).default(10_000),
  GATEWAY_FAST_PATH: flag.default(true),
  GATEWAY_HOSTS: list
    .pipe(
      z.array(
        z.string().regex(/^[a-z\d.-]+$|^\[[\da-f:.]+\]$/, { error: 'must be host names in lower case' }),
      ),
    )
    .optional(),
  MFA_REQUIRED_FROM_LEVEL: count(0, 100).optional(),
  UPSTREAM_REQUESTS: count(1, 1_000_000).default(2000),
  UPSTREAM_CONNECTION_SECONDS: seconds(1, 86_400).default(60),
  UPLOAD_IDLE_SECONDS: seconds(1, 3600).default(30),

  ORIGIN_PORT: port.default(8081),
  ORIGIN_METRICS_PORT: port.optional(),
  DATABASE_URL: databaseServer,
  DATABASE_USER: credential,
  DATABASE_PASSWORD: credential,
  DATABASE_OWNER_USER: roleName,
  DATABASE_OWNER_PASSWORD: rolePassword,
  DATABASE_ORIGIN_USER: roleName,
  DATABASE_ORIGIN_PASSWORD: rolePassword,
  DATABASE_POOL_MAX: count(1, 1000).default(50),
  DATABASE_IDLE_SECONDS: seconds(1, 86_400).default(30),
  DATABASE_CONNECT_SECONDS: seconds(1, 300).default(10),
  DATABASE_STATEMENT_SECONDS: seconds(1, 3600).default(30),
  DATABASE_LOCK_SECONDS: seconds(1, 3600).default(5),
  DATABASE_CONNECTION_SECONDS: seconds(1, 86_400).default(1800),
  DATABASE_POOLER: z.enum(['none', 'transaction']).default('none'),
  DATABASE_SLOW_MS: count(1, 3_600_000).default(500),
  ASSERTION_PUBLIC_JWKS: keys(z.object({ keys: z.array(publicJwkSchema).min(1) }), 'a JWKS'),
  KEY_ENCRYPTION_KEY: secret,
  PASSWORD_DIGEST_KEY: secret,
  PASSWORD_MIN_LENGTH: count(8, 64).default(12),
  PASSWORD_HASH_COST: count(10, 15).default(12),
  IMPORTED_HASH_COST: count(10, 16).optional(),
  PASSWORD_HASH_THREADS: count(1, 64).optional(),
  PASSWORD_HASH_QUEUE: count(1, 10_000).default(64),
  LEGACY_VERIFIER_URL: verifier.optional(),
  LEGACY_VERIFIER_SECRET: secret.optional(),
  LEGACY_VERIFIER_SECONDS: seconds(1, 20).default(5),
  LEGACY_ISSUER_SECRETS: json.pipe(legacyIssuerSecrets).default({}),
  ACCESS_TOKEN_SECONDS: seconds(60, 3600).default(900),
  REFRESH_TOKEN_SECONDS: seconds(60, 31_536_000).default(604_800),
  REFRESH_TOKEN_KEY: secret,
  REFRESH_GRACE_SECONDS: seconds(0, 60).default(10),
  REFRESH_LATE_REPLAYS: count(0, 10).default(2),
  SESSION_SECONDS: seconds(60, 31_536_000).default(2_592_000),
  SESSIONS_PER_USER: count(1, 1000).default(20),
  API_KEYS_PER_USER: count(1, 1000).default(20),
  API_KEY_DAYS: count(1, 3650).default(365),
  MFA_SECONDS: seconds(60, 31_536_000).default(86_400),
  MFA_DEVICE_SECONDS: seconds(0, 31_536_000).default(0),
  STEP_UP_SECONDS: seconds(60, 86_400).default(900),
  DEVICE_COOKIE_KEY: secret,
  LOCKOUT_TRIES: count(1, 100).default(5),
  LOCKOUT_WINDOW_SECONDS: seconds(1, 86_400).default(900),
  LOCKOUT_SECONDS: seconds(1, 86_400).default(900),
  REQUIRE_VERIFIED_EMAIL: flag.default(false),
  // The database removes no younger audit row (`remove_old_rows`).
  AUDIT_LOG_DAYS: count(30, 3650).default(365),
  LOGIN_ATTEMPT_DAYS: count(1, 3650).default(90),
  RATE_LIMIT_LOG_DAYS: count(1, 3650).default(30),
  USAGE_DAYS: count(1, 3650).default(400),
  UNVERIFIED_ACCOUNT_DAYS: count(0, 3650).default(7),
  SIGNING_KEY_DAYS: count(1, 3650).default(90),
  SERVICE_TOKEN_SECONDS: seconds(60, 3600).default(300),

  PRODUCT_NAME: z
    .string()
    .trim()
    .min(1)
    .max(60)
    .regex(displayable, { error: 'must be one line of characters that can be shown' })
    .default('Gatehouse'),
  SMTP_URL: mailServer.optional(),
  SMTP_USER: credential,
  SMTP_PASSWORD: credential,
  MAIL_FROM: sender.default('Gatehouse <no-reply@localhost>'),
  FRONTEND_URL: pageFolder.default('http://127.0.0.1:3000'),

  REPORTS_PORT: port.default(8082),
} as const

export type VariableName = keyof typeof variables

/**
 * Variables of earlier versions, and why they are gone. The start names the reason: who sets one
 * relies on what it did.
 */
const removedVariables: Readonly<Record<string, string>> = {
  LIMIT_LEASE:
    'was removed: each request is counted in Redis, exactly; leases made no gateway cheaper. Delete it (docs/adr/0015-no-leases.md)',
}

export type Config<Name extends VariableName> = { [K in Name]: z.output<(typeof variables)[K]> }

/**
 * Faults of the configuration, one sentence each. Values are never included: they may be secrets.
 */
export class ConfigError extends Error {
  readonly reasons: readonly string[]

  constructor(reasons: readonly string[]) {
    super(`The configuration is not usable:\n${reasons.map((reason) => `  - ${reason}`).join('\n')}`)
    this.name = 'ConfigError'
    this.reasons = reasons
  }
}

type Environment = Record<string, string | undefined>

/**
 * Prefixes of the product's variables: an unknown variable with one is rejected as a typo. Where
 * other programs share the first word, as in PRODUCT_ID or REDIS_HOST, the prefix is longer.
 */
const ownPrefixes = [
  'GATEWAY_',
  'ORIGIN_',
  'REPORTS_PORT',
  'UPSTREAM',
  'REQUIRE_VERIFIED_',
  'ISSUER_',
  'REDIS_UR',
  'REVOCATION_',
  'FRONTEND_',
  'UPGRADE_',
  'POLICY_',
  'AUDIT_LOG_',
  'LOGIN_ATTEMPT_',
  'RATE_LIMIT_LOG_',
  'UNVERIFIED_ACCOUNT_',
  'MAIL_',
  'PRODUCT_NAM',
  'METRICS_',
  'ASSERTION_',
  'ACCESS_TOKEN_',
  'REFRESH_TOKEN_',
  'SESSION_SECONDS',
  'SESSIONS_PER_',
  'API_KEYS_PER_',
  'API_KEY_DAY',
  'MFA_',
  'STEP_UP_',
  'DEVICE_COOKIE_',
  'LOCKOUT_',
  'SIGNING_KEY_',
  'SERVICE_TOKEN_',
  'JWKS_',
  'PASSWORD_',
  'IMPORTED_HASH_',
  'LEGACY_VERIFIER_',
  'LEGACY_ISSUER',
  'LIMIT_',
  'DRAIN_',
  'CLIENT_STALL_',
  'UPLOAD_IDLE_',
  'TRUSTED_PROXY_',
  'CORS_',
  'KEY_ENCRYPTION_',
]

/** Browsers open these URLs with secrets. */
const browserFacing: readonly VariableName[] = ['ISSUER_URL', 'FRONTEND_URL', 'UPGRADE_URL']

const secretNames: readonly VariableName[] = [
  'KEY_ENCRYPTION_KEY',
  'PASSWORD_DIGEST_KEY',
  'REFRESH_TOKEN_KEY',
  'DEVICE_COOKIE_KEY',
  'LEGACY_VERIFIER_SECRET',
]

function pairs<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((first, index) => items.slice(index + 1).map((second): [T, T] => [first, second]))
}

/** Variables that Kubernetes adds for a Service called gateway or origin. */
const serviceLink = /_SERVICE_(HOST|PORT)|_PORT_\d+_/

/** Variables whose default is a stand-in for development, on which production must not run. */
const requiredInProduction: readonly VariableName[] = [
  'ISSUER_URL',
  'REDIS_URL',
  'SMTP_URL',
  'MAIL_FROM',
  'FRONTEND_URL',
  'UPGRADE_URL',
]

/** One reason for each member: a value that is no URL breaks the rules of URLs too. */
function describeFaults(error: z.ZodError): string[] {
  const first = new Map<string, string>()
  for (const { path, message, isUnknownKey } of listSchemaFaults(error)) {
    const place = path.join('.')
    const member = path.filter((part) => typeof part === 'string').join('.')
    const reason = isUnknownKey ? 'is an unknown member' : message
    if (!first.has(place)) first.set(place, member ? `${member} ${reason}` : reason)
  }
  return [...first.values()]
}

/**
 * Reads the named variables, once.
 *
 * @param fileNames names set in `.env`, all of which must be ours
 * @throws ConfigError naming each variable that is missing, malformed, weak or unknown, and why
 */
export function readConfig<Name extends VariableName>(
  names: readonly Name[],
  environment: Environment,
  fileNames: readonly string[] = [],
): Config<Name> {
  const reasons: string[] = []
  const config: Record<string, unknown> = {}
  for (const name of names) {
    const text = environment[name] === '' ? undefined : environment[name]
    if (text === undefined && environment.NODE_ENV === 'production' && requiredInProduction.includes(name)) {
      reasons.push(`${name} is missing: production takes no stand-in for it`)
      continue
    }
    let value: string | undefined
    try {
      value = withCredentials(name, text, environment)
    } catch (error) {
      if (!(error instanceof UrlCredentialsError)) throw error
      reasons.push(error.message)
      continue
    }
    const result = variables[name].safeParse(value)
    if (result.success) config[name] = result.data
    else if (text === undefined) reasons.push(`${name} is missing (.env.example says what it is)`)
    else reasons.push(...describeFaults(result.error).map((text) => `${name}: ${text}`))
  }
  if (typeof config.DATABASE_URL === 'string' && environment.DATABASE_POOLER === 'transaction')
    config.DATABASE_URL = behindTransactionPooler(config.DATABASE_URL)
  if (environment.NODE_ENV === 'production') {
    for (const name of names.filter((name) => browserFacing.includes(name))) {
      const text = environment[name] ?? ''
      if (URL.canParse(text) && new URL(text).protocol === 'http:')
        reasons.push(`${name} must be https in production`)
    }
    if (typeof config.SMTP_URL === 'string' && !hasSafeTransport(config.SMTP_URL))
      reasons.push('SMTP_URL must not turn TLS or the check of its certificate off in production')
  }
  if (
    config.TRUSTED_PROXY_HEADER === 'forwarded' &&
    config.TRUSTED_PROXY_HOPS === 0 &&
    Array.isArray(config.TRUSTED_PROXY_CIDRS) &&
    config.TRUSTED_PROXY_CIDRS.length === 0
  )
    reasons.push(
      'TRUSTED_PROXY_HEADER needs TRUSTED_PROXY_HOPS or TRUSTED_PROXY_CIDRS: nobody else is believed',
    )
  if ('LEGACY_VERIFIER_URL' in config && !config.LEGACY_VERIFIER_URL !== !config.LEGACY_VERIFIER_SECRET)
    reasons.push('LEGACY_VERIFIER_URL and LEGACY_VERIFIER_SECRET need each other: requests are signed')
  if (config.LEGACY_ISSUERS && typeof config.ISSUER_URL === 'string')
    reasons.push(
      ...legacyIssuerFaults(
        config.LEGACY_ISSUERS as LegacyIssuer[],
        config.ISSUER_URL,
        config.LEGACY_ISSUER_SECRETS as Record<string, Uint8Array> | undefined,
      ),
    )
  for (const [first, second] of pairs(names.filter((name) => secretNames.includes(name)))) {
    const bytes = config[first]
    // Texts in base64 that differ may be the same bytes.
    if (bytes instanceof Uint8Array && `${bytes}` === `${config[second]}`)
      reasons.push(`${first} and ${second} must differ: each secret is for one purpose`)
  }
  for (const name of Object.keys(environment)) {
    if (name in variables) continue
    const ours =
      fileNames.includes(name) ||
      (ownPrefixes.some((prefix) => name.startsWith(prefix)) && !serviceLink.test(name))
    if (name in removedVariables) reasons.push(`${name} ${removedVariables[name]}`)
    else if (ours) reasons.push(`${name} is not a variable of Gatehouse`)
  }
  if (reasons.length > 0) throw new ConfigError([...new Set(reasons)])
  return config as Config<Name>
}
