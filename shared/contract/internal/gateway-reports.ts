import * as z from 'zod'
import { revocationFeedSchema } from '../../auth/revocation.ts'
import { defineEndpointGroup, noContent, ok } from '../../endpoint/endpoint.ts'
import { displayable, time } from '../fields.ts'

/**
 * A gateway's report of rate-limited requests; `dropped` counts those that it could not keep.
 * Methods and routes are as the policy table has them.
 */
const rateLimitReport = z.strictObject({
  dropped: z.int().min(0),
  refusals: z
    .array(
      z.strictObject({
        class: z.string().regex(/^[a-z_]{1,40}$/),
        key: z.string().min(1).max(200).regex(displayable),
        method: z.string().regex(/^[A-Z]{1,20}$/),
        route: z.string().min(1).max(200).regex(displayable),
        count: z.int().min(1).max(2_147_483_647),
        /** Whether the limit only reports: the requests were served. */
        report_only: z.boolean().exactOptional(),
      }),
    )
    .max(1000),
})

export type RateLimitReport = z.output<typeof rateLimitReport>

/**
 * A gateway's report of signed-in users without the permission; otherwise like `rateLimitReport`.
 */
const denialReport = z.strictObject({
  dropped: z.int().min(0),
  denials: z
    .array(
      z.strictObject({
        user_id: z.uuid(),
        session_id: z.uuid(),
        code: z.enum(['permission_required', 'level_required']),
        method: z.string().regex(/^[A-Z]{1,20}$/),
        route: z.string().min(1).max(200).regex(displayable),
        count: z.int().min(1).max(2_147_483_647),
      }),
    )
    .max(1000),
})

export type DenialReport = z.output<typeof denialReport>

/**
 * A gateway's report of what users consumed of limits, by day in UTC. A report that comes again
 * with its id is counted once. `used` may be negative, where a response cost less than its request.
 */
const usageReport = z.strictObject({
  id: z.uuid(),
  dropped: z.int().min(0),
  usage: z
    .array(
      z.strictObject({
        user_id: z.uuid(),
        day: z.iso.date(),
        limit_name: z.string().regex(/^[a-z][a-z_]{0,39}$/),
        used: z.int(),
      }),
    )
    .max(1000),
})

export type UsageReport = z.output<typeof usageReport>

/**
 * The plan catalogue of gateways; `rank` orders plans from the cheapest up. Rows of the policy are
 * held against the names of all features and permissions, which an origin of an earlier version
 * does not tell.
 */
export const planCatalogue = z.object({
  plans: z.array(z.object({ name: z.string(), rank: z.number(), features: z.array(z.string()) })),
  features: z.array(z.string()).optional(),
  permissions: z.array(z.string()).optional(),
})

export type PlanCatalogue = z.output<typeof planCatalogue>

/** SHA-256 of an API key, in base64url. The key itself never leaves the gateway. */
const apiKeyExchange = z.strictObject({ key_hash: z.string().regex(/^[\w-]{43}$/) })

/**
 * The access token of an API key, or why there is none. `unknown` is a key that was never issued,
 * was revoked or has expired, or whose account is disabled.
 */
const apiKeyExchanged = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('token'),
    key_id: z.uuid(),
    access_token: z.string(),
    networks: z.array(z.string()),
  }),
  z.object({ kind: z.literal('unknown') }),
  z.object({ kind: z.literal('feature_required'), feature: z.string(), plan: z.string() }),
])

export type ApiKeyExchanged = z.output<typeof apiKeyExchanged>

/** A gateway's report of the use of API keys; otherwise like `rateLimitReport`. */
const apiKeyReport = z.strictObject({
  dropped: z.int().min(0),
  uses: z
    .array(
      z.strictObject({
        key_id: z.uuid(),
        /** `network_refused`: from a network that the key may not be used from. */
        outcome: z.enum(['used', 'network_refused']),
        at: time,
        count: z.int().min(1).max(2_147_483_647),
      }),
    )
    .max(1000),
})

export type ApiKeyReport = z.input<typeof apiKeyReport>

/** Called by gateways on their own behalf, with an assertion of their own. */
export const gatewayReports = defineEndpointGroup({
  name: 'Gateways',
  description: 'Revocations and plans for gateways, and their reports.',
  endpoints: {
    readRevocations: {
      method: 'GET',
      path: '/internal/gateway/revocations',
      summary: 'Read revocations since a cursor, or all that are in force',
      // A transaction id, which has 64 bits: this many digits always fit.
      query: {
        after: z
          .string()
          .regex(/^\d{1,18}$/)
          .optional(),
      },
      responses: ok('The entries, and the cursor to go on from.', revocationFeedSchema),
    },
    readPlanCatalogue: {
      method: 'GET',
      path: '/internal/gateway/plans',
      summary: 'Read plans with their features, and all names that policy rows may use',
      responses: ok('The catalogue.', planCatalogue),
    },
    reportRateLimits: {
      method: 'POST',
      path: '/internal/gateway/refusals',
      summary: 'Report requests that limits rejected',
      body: rateLimitReport,
      responses: noContent('They are in the log.'),
    },
    reportDenials: {
      method: 'POST',
      path: '/internal/gateway/denials',
      summary: 'Report requests that lacked a permission or a level',
      body: denialReport,
      responses: noContent('They are in the audit log.'),
    },
    readAssertionKey: {
      method: 'POST',
      path: '/internal/gateway/assertion-keys',
      summary: 'Read the key that signs assertions, encrypted for the gateway that asks',
      body: z.strictObject({ request: z.string().min(1).max(4096) }),
      responses: ok(
        'A JWE, or null where no key may sign yet or the request is not signed by a gateway.',
        z.object({ encrypted_key: z.string().nullable() }),
      ),
    },
    reportUsage: {
      method: 'POST',
      path: '/internal/gateway/usage',
      summary: 'Report what users consumed of limits',
      body: usageReport,
      responses: noContent('It is counted, once for each id.'),
    },
    exchangeApiKey: {
      method: 'POST',
      path: '/internal/gateway/api-key-tokens',
      summary: 'Exchange an API key for an access token',
      body: apiKeyExchange,
      responses: ok('The token, or why there is none.', apiKeyExchanged),
    },
    reportApiKeyUses: {
      method: 'POST',
      path: '/internal/gateway/api-key-uses',
      summary: 'Report when API keys were used last',
      body: apiKeyReport,
      responses: noContent('They are recorded.'),
    },
  },
})
