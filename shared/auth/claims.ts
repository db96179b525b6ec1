import * as z from 'zod'

/**
 * Authentication assurance levels (NIST SP 800-63B-4): by one factor, and by two. Tokens of earlier
 * versions have none of the three claims of authentication.
 */
export const acrSchema = z.enum(['aal1', 'aal2'])

export type Acr = z.output<typeof acrSchema>

/**
 * Claims of an access token: everything a request needs, so that authorization needs no database.
 * `level` is 0-100, `quota` is API requests an hour, `epoch` holds the three row versions the
 * claims were made from. `amr` (RFC 8176) and `acr` say how the session was authenticated,
 * `auth_time` when that was, in `EpochSeconds`.
 */
export const identitySchema = z.object({
  sub: z.uuid(),
  sid: z.uuid(),
  jti: z.string().min(1),
  email: z.string(),
  role: z.string(),
  level: z.int().min(0).max(100),
  permissions: z.array(z.string()),
  plan: z.string(),
  features: z.array(z.string()),
  quota: z.int().positive(),
  epoch: z.object({ user: z.int(), role: z.int(), plan: z.int() }),
  amr: z.array(z.string()).default([]),
  acr: acrSchema.default('aal1'),
  auth_time: z.int().min(0).default(0),
})

/** An access token's payload (RFC 9068); `iat` and `exp` are `EpochSeconds`. */
export const claimsSchema = identitySchema.extend({
  iss: z.string(),
  aud: z.string(),
  client_id: z.string(),
  iat: z.number(),
  exp: z.number(),
})

export type Identity = z.infer<typeof identitySchema>
export type Claims = z.infer<typeof claimsSchema>

/**
 * `client_id` of users' tokens: the product's own frontends, a public client (RFC 6749, section
 * 2.1) without a row and without a secret.
 */
export const frontendClient = 'frontend'

/** RFC 9068, section 2.1. */
export const accessTokenType = 'at+jwt'

/** Type of the token in a signed URL, so that neither kind of token passes for the other. */
export const urlTokenType = 'gatehouse-url+jwt'

/**
 * Audience of service tokens: the origin itself. User tokens never have it, so neither passes for
 * the other.
 */
export const serviceAudience = 'origin'

/**
 * Allowed difference of two clocks.
 */
export const clockLeewaySeconds = 5

/**
 * Keys and tokens are ES256 only: one algorithm prevents algorithm confusion (RFC 8725, section
 * 3.1).
 */
export const algorithm = 'ES256'
