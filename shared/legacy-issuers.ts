import * as z from 'zod'
import { keySet } from './config-urls.ts'
import type { EpochMs } from './lib/time.ts'

/**
 * Schemas of `LEGACY_ISSUERS` and `LEGACY_ISSUER_SECRETS`: former systems whose tokens users
 * exchange for sessions. The secrets are apart, because gateways need only the public part.
 */

const keyTypes = {
  RS256: 'RSA',
  RS384: 'RSA',
  RS512: 'RSA',
  PS256: 'RSA',
  PS384: 'RSA',
  PS512: 'RSA',
  ES256: 'EC',
  ES384: 'EC',
  ES512: 'EC',
  EdDSA: 'OKP',
} as const

const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const
const algorithms = [...secretAlgorithms, ...(Object.keys(keyTypes) as (keyof typeof keyTypes)[])] as const

export type LegacyAlgorithm = (typeof algorithms)[number]

/** Whether one secret signs and verifies. */
export const hasSecret = (algorithm: LegacyAlgorithm) => secretAlgorithms.some((name) => name === algorithm)

/** Longest texts of a row, in characters. An issuer is a URL or a name. */
const longest = { issuer: 512, claim: 200, prefix: 100 }
const mostIssuers = 20
const mostKeys = 20

const text = (max: number, min = 0) =>
  z
    .string({ error: 'must be a text' })
    .min(min, { error: 'must not be empty' })
    .max(max, { error: `must have at most ${max} characters` })

/** A public key (RFC 7517). Its members beside these depend on its type. */
const publicKey = z.looseObject({
  kty: z.enum(['RSA', 'EC', 'OKP'], { error: 'must be RSA, EC or OKP' }),
  kid: z.string().min(1).exactOptional(),
  alg: z.string().exactOptional(),
  use: z.literal('sig', { error: 'must be sig' }).exactOptional(),
  d: z.undefined({ error: 'must not be there: the private key stays in the former system' }).optional(),
})

const publicKeys = z.object(
  {
    keys: z
      .array(publicKey)
      .min(1, { error: 'must have a key' })
      .max(mostKeys, { error: `must have at most ${mostKeys} keys` })
      .refine((keys) => keys.length === 1 || new Set(keys.map(({ kid }) => kid ?? '')).size === keys.length, {
        error: 'must have a kid each, and no two the same',
      }),
  },
  { error: 'must be a JWKS' },
)

const issuerShape = z.strictObject(
  {
    /** `iss` of its tokens, to the letter; empty for a system whose tokens have none. */
    issuer: text(longest.issuer),
    algorithm: z.enum(algorithms, { error: `must be one of ${algorithms.join(', ')}` }),
    jwks: publicKeys.optional(),
    jwks_url: keySet.optional(),
    /** Required `aud`. Without it any will do, none too. */
    audience: text(longest.issuer, 1).optional(),
    /** The claim with the account's id in that system. */
    account_claim: text(longest.claim, 1).default('sub'),
    /** The cookie that browsers keep its tokens in, where scripts cannot read them. */
    cookie: z
      .string()
      .max(longest.claim)
      .regex(/^[\w!#$%&'*+\-.^`|~]+$/, { error: 'must be the name of a cookie' })
      .optional(),
    /** Before the claim's value, where several systems with the same ids were imported. */
    external_id_prefix: text(longest.prefix).default(''),
    /** Claims that a token must have besides, such as `{"use": "access"}`. */
    required_claims: z
      .record(z.string(), z.union([z.string(), z.number(), z.boolean()]), {
        error: 'must be an object of texts, numbers and booleans',
      })
      .default({}),
    /** From then on no token is exchanged. */
    ends_at: z.iso
      .datetime({ offset: true, error: 'must be a time such as 2027-01-31T00:00:00Z' })
      .transform((time): EpochMs => Date.parse(time)),
  },
  { error: ({ code }) => (code === 'unrecognized_keys' ? undefined : 'must be objects') },
)

/** Where the keys of an algorithm come from: one place alone, and of one type. */
function checkKeys(row: z.output<typeof issuerShape>, context: z.core.$RefinementCtx): void {
  const { algorithm, jwks, jwks_url: url } = row
  const refuse = (member: string, message: string) =>
    context.addIssue({ code: 'custom', path: [member], message })
  if (hasSecret(algorithm)) {
    if (jwks ?? url)
      refuse('algorithm', `is ${algorithm}, whose secret is in LEGACY_ISSUER_SECRETS: it has no JWKS`)
    return
  }
  if (!jwks === !url) refuse('algorithm', `is ${algorithm}, so it needs one of jwks and jwks_url`)
  const type = keyTypes[algorithm as keyof typeof keyTypes]
  for (const key of jwks?.keys ?? []) {
    if (key.kty !== type) refuse('jwks', `must have keys of the type ${type} for ${algorithm}`)
    if (key.alg !== undefined && key.alg !== algorithm)
      refuse('jwks', `must have no key for another algorithm than ${algorithm}`)
  }
}

export const legacyIssuers = z
  .array(issuerShape.superRefine(checkKeys), { error: 'must be a list of issuers' })
  .max(mostIssuers, { error: `must have at most ${mostIssuers} issuers` })
  .refine((rows) => new Set(rows.map(({ issuer }) => issuer)).size === rows.length, {
    error: 'must have each issuer once: one issuer has one algorithm',
  })

export type LegacyIssuer = z.output<typeof legacyIssuers>[number]

/** RFC 7518, section 3.2, and RFC 8725, section 3.5: a shorter secret may be guessed. */
const leastSecretBytes = 32

const inBase64 = 'base64:'

/** The bytes of a secret: those of the text in UTF-8, or behind `base64:` those that it encodes. */
const issuerSecret = z.string({ error: 'must be a text' }).transform((secret, context): Uint8Array => {
  const bytes = bytesOf(secret)
  if (!bytes) context.addIssue(`must be base64 behind ${inBase64}`)
  else if (bytes.length < leastSecretBytes)
    context.addIssue(
      `must have at least ${leastSecretBytes} bytes (RFC 7518, section 3.2): a shorter one can be guessed`,
    )
  else return bytes
  return z.NEVER
})

function bytesOf(secret: string): Uint8Array | undefined {
  if (!secret.startsWith(inBase64)) return new TextEncoder().encode(secret)
  const { data } = z.base64().safeParse(secret.slice(inBase64.length))
  return data === undefined ? undefined : Uint8Array.from(atob(data), (character) => character.charCodeAt(0))
}

/** By issuer. */
export const legacyIssuerSecrets = z.record(z.string(), issuerSecret, {
  error: 'must be an object of secrets by issuer',
})

/** Faults of the variables together. A gateway has no `secrets`, which are then not compared. */
export function legacyIssuerFaults(
  issuers: readonly LegacyIssuer[],
  ownIssuer: string,
  secrets: Readonly<Record<string, Uint8Array>> | undefined,
): string[] {
  const faults: string[] = []
  if (issuers.some(({ issuer }) => issuer === ownIssuer))
    faults.push('LEGACY_ISSUERS must not name ISSUER_URL: its tokens are those of Gatehouse')
  if (!secrets) return faults
  const withSecret = issuers.filter(({ algorithm }) => hasSecret(algorithm)).map(({ issuer }) => issuer)
  for (const issuer of withSecret.filter((name) => !Object.hasOwn(secrets, name)))
    faults.push(`LEGACY_ISSUER_SECRETS has no secret of the issuer ${JSON.stringify(issuer)}`)
  for (const issuer of Object.keys(secrets).filter((name) => !withSecret.includes(name)))
    faults.push(
      `LEGACY_ISSUER_SECRETS names ${JSON.stringify(issuer)}, which LEGACY_ISSUERS does not have with HS256, HS384 or HS512`,
    )
  return faults
}
