import * as z from 'zod'
import { publicJwkSchema } from '../../auth/jwk.ts'
import { defineEndpointGroup, ok } from '../../endpoint/endpoint.ts'
import { tokenResponse } from '../signing-in.ts'

/** RFC 8693, section 2.1. */
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** RFC 8693, section 3. */
export const tokenTypes = {
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
  accessToken: 'urn:ietf:params:oauth:token-type:access_token',
} as const

/**
 * RFC 6749, sections 4.4 and 6; RFC 8693, section 2.1. A client may also name itself by `client_id`
 * and `client_secret` in the form.
 */
const clientInForm = { client_id: z.string().optional(), client_secret: z.string().optional() }

const tokenForm = z.object({
  grant_type: z.enum(['client_credentials', 'refresh_token', tokenExchangeGrant]),
  scope: z.string().optional(),
  refresh_token: z.string().optional(),
  subject_token: z.string().optional(),
  subject_token_type: z.literal(tokenTypes.jwt).optional(),
  requested_token_type: z.literal(tokenTypes.accessToken).optional(),
  ...clientInForm,
})

/** RFC 7662, section 2.1, and RFC 7009, section 2.1. */
const tokenInForm = z.object({
  token: z.string(),
  token_type_hint: z.string().optional(),
  ...clientInForm,
})

/** RFC 6749, section 5.1; `expires_in` in seconds, `scope` always there. */
const serviceTokenResponse = z
  .object({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int(),
    scope: z.string(),
  })
  .meta({ id: 'ServiceToken' })

export type ServiceTokenResponse = z.output<typeof serviceTokenResponse>

/** RFC 8693, section 2.2.1. */
const exchangedTokenResponse = tokenResponse
  .extend({ issued_token_type: z.literal(tokenTypes.accessToken) })
  .meta({ id: 'ExchangedTokens' })

export type ExchangedTokenResponse = z.output<typeof exchangedTokenResponse>

const oauthTokenResponse = z.union([serviceTokenResponse, exchangedTokenResponse, tokenResponse])

/** RFC 7662, section 2.2; times are NumericDate. */
const liveToken = z.object({
  active: z.literal(true),
  iss: z.string(),
  sub: z.string(),
  client_id: z.string(),
  exp: z.int(),
  iat: z.int(),
  token_type: z.literal('Bearer').exactOptional(),
  aud: z.string().exactOptional(),
  jti: z.string().exactOptional(),
  scope: z.string().exactOptional(),
  username: z.string().exactOptional(),
  /** RFC 9470, section 6.2. */
  acr: z.string().exactOptional(),
  auth_time: z.int().exactOptional(),
})

export type LiveToken = z.output<typeof liveToken>

const introspectionResponse = z
  .discriminatedUnion('active', [z.object({ active: z.literal(false) }), liveToken])
  .meta({ id: 'Introspection' })

export type IntrospectionResponse = z.output<typeof introspectionResponse>

/**
 * A rejection under /oauth: RFC 6749, section 5.2, with the members of every problem.
 */
export const oauthErrorResponse = z
  .object({
    error: z.string(),
    error_description: z.string(),
    status: z.int(),
    code: z.string(),
    request_id: z.string(),
    /** Of `mfa_required`, as in its problem: `POST /auth/login/factor` finishes the exchange. */
    factors: z.array(z.enum(['totp', 'recovery_code'])).exactOptional(),
    mfa_token: z.string().exactOptional(),
    expires_in: z.int().exactOptional(),
  })
  .meta({ id: 'OAuthError' })

const jwksResponse = z.object({ keys: z.array(publicJwkSchema) }).meta({ id: 'Jwks' })

/** RFC 8414. */
const authorizationServerResponse = z
  .object({
    issuer: z.url(),
    token_endpoint: z.url(),
    introspection_endpoint: z.url(),
    revocation_endpoint: z.url(),
    jwks_uri: z.url(),
    scopes_supported: z.array(z.string()),
    response_types_supported: z.array(z.string()),
    grant_types_supported: z.array(z.string()),
    token_endpoint_auth_methods_supported: z.array(z.string()),
    introspection_endpoint_auth_methods_supported: z.array(z.string()),
    revocation_endpoint_auth_methods_supported: z.array(z.string()),
  })
  .meta({ id: 'AuthorizationServer' })

export type AuthorizationServerResponse = z.output<typeof authorizationServerResponse>

export const oauth = defineEndpointGroup({
  name: 'OAuth',
  description:
    'For OAuth clients, in the forms of RFC 6749, 7662, 7009, 8414 and 8693. Errors have the form of RFC 6749, section 5.2.',
  endpoints: {
    issueToken: {
      method: 'POST',
      path: '/oauth/token',
      summary: 'Issue tokens for client credentials, a refresh token or a token of a former system',
      form: tokenForm,
      responses: ok('The tokens.', oauthTokenResponse),
      errors: ['keys_unavailable'],
      credential: 'client',
    },
    introspectToken: {
      method: 'POST',
      path: '/oauth/introspect',
      summary: 'Introspect a token',
      form: tokenInForm,
      responses: ok('The state of the token (RFC 7662, section 2.2).', introspectionResponse),
      credential: 'client',
    },
    revokeToken: {
      method: 'POST',
      path: '/oauth/revoke',
      summary: 'Revoke a token, which ends its session',
      form: tokenInForm,
      responses: {
        200: { description: 'The token is revoked, or was invalid before (RFC 7009, section 2.2).' },
      },
      credential: 'client',
    },
    readKeys: {
      method: 'GET',
      path: '/.well-known/jwks.json',
      summary: 'Public keys that verify access tokens',
      responses: ok('The JWK set (RFC 7517).', jwksResponse),
    },
    readAssertionKeys: {
      method: 'GET',
      path: '/.well-known/gatehouse-assertion-keys.json',
      summary: 'Read the public keys that verify assertions',
      description: 'For services behind the gateway. Read it again for a key id that is not known.',
      responses: ok('The keys.', jwksResponse),
    },
    readMetadata: {
      method: 'GET',
      path: '/.well-known/oauth-authorization-server',
      summary: 'Authorization server metadata',
      responses: ok('The metadata (RFC 8414).', authorizationServerResponse),
    },
  },
})
