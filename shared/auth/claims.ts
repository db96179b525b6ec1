import { z } from 'zod'

/**
 * What an access token says of its bearer: everything a request needs, so that authorizing one asks
 * no database. `level` is 0-100, `quota` is API requests an hour, `epoch` holds the three row
 * versions the claims were made from.
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

/**
 * Whom a service's token is for: the origin itself. A user's is never, so that neither passes for
 * the other.
 */
export const serviceAudience = 'origin'

/**
 * Clocks of two machines may differ by this much; well below the 60 s that are the most one should
 * allow.
 */
export const clockLeewaySeconds = 5

/**
 * Keys and tokens are ES256 alone: one algorithm leaves nothing to confuse (RFC 8725, section 3.1).
 */
export const algorithm = 'ES256'
