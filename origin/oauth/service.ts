import { frontendClient } from '../../shared/auth/claims.ts'
import type { Scope } from '../../shared/contract/oauth/scopes.ts'
import type { IntrospectionResponse, ServiceTokenResponse, TokenResponse } from '../../shared/contract.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import type { Now } from '../../shared/lib/time.ts'
import { type AuditAction, insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { hashToken } from '../opaque-token.ts'
import type { SessionService } from '../sessions/service.ts'
import { createClientAuthentication, type OAuthCaller } from './authentication.ts'
import { selectClient } from './clients/queries.ts'
import { narrowScopes } from './clients/rules.ts'
import { OAuthError } from './errors.ts'
import { inactive, liveAccessToken, liveRefreshToken } from './tokens/introspection.ts'
import { selectIsRefreshToken, selectIsTokenLive, selectLiveRefreshToken } from './tokens/queries.ts'
import { createServiceTokenSigner } from './tokens/service-token.ts'
import { createTokenReader } from './tokens/token-reader.ts'

interface OAuthOptions {
  sql: Sql
  keys: Pick<KeyRing, 'signing' | 'published'>
  issuer: string
  /** The audience of users' access tokens. */
  userAudience: string
  /** Lifetime of a service's token. */
  serviceTokenSeconds: number
  sessions: Pick<SessionService, 'refresh' | 'logout' | 'endOne'>
  now?: Now
}

export type OAuthService = ReturnType<typeof createOAuthService>

export function createOAuthService(options: OAuthOptions) {
  const { sql, keys, issuer, userAudience, serviceTokenSeconds, sessions, now = Date.now } = options
  const signServiceToken = createServiceTokenSigner({ keys, issuer, lifeSeconds: serviceTokenSeconds })
  const readToken = createTokenReader({ publicKeys: keys.published, issuer, userAudience, now })

  function record(
    action: AuditAction,
    details: Record<string, string>,
    context: RequestContext,
  ): Promise<void> {
    return insertAuditRow(sql, { action, actorId: null, userId: null, context, details })
  }

  return {
    authenticate: createClientAuthentication({ sql }),

    /**
     * The client_credentials grant (RFC 6749, section 4.4). A client that is disabled between its
     * authentication and this step gets one last token, which lives for minutes.
     *
     * @throws OAuthError `unauthorized_client`, `invalid_scope`
     */
    async issueServiceToken(
      caller: OAuthCaller,
      scope: string | undefined,
      context: RequestContext,
    ): Promise<ServiceTokenResponse> {
      // RFC 6749, section 4.4: this grant is for confidential clients alone.
      if (caller.kind !== 'service') throw new OAuthError('unauthorized_client')
      const outcome = narrowScopes(caller.scopes, scope)
      if (outcome.kind === 'malformed') throw new OAuthError('invalid_scope', { cause: 'malformed' })
      if (outcome.kind === 'not_granted') {
        await record('client.denied', { client_id: caller.id, reason: 'scope_not_granted' }, context)
        throw new OAuthError('invalid_scope', { cause: 'not granted' })
      }
      const granted = outcome.scopes.join(' ')
      // Tells which services have not changed over to their new secret.
      const secret = caller.secret === 'previous' ? { secret: caller.secret } : {}
      await record('client.token_issued', { client_id: caller.id, scope: granted, ...secret }, context)
      return {
        access_token: await signServiceToken({ clientId: caller.id, scopes: outcome.scopes }),
        token_type: 'Bearer',
        expires_in: serviceTokenSeconds,
        scope: granted,
      }
    },

    /**
     * The refresh_token grant (RFC 6749, section 6), for the frontend: services get no refresh
     * token.
     *
     * @throws OAuthError `unauthorized_client`, `invalid_scope`, `refresh_invalid`,
     *   `refresh_reused`; Problem `rate_limited`
     */
    async refresh(
      caller: OAuthCaller,
      { refreshToken, scope }: { refreshToken: string; scope: string | undefined },
      context: RequestContext,
    ): Promise<TokenResponse> {
      if (caller.kind !== 'frontend') throw new OAuthError('unauthorized_client')
      // A user's token has permissions and no scopes, so that no scope was granted before.
      if (scope !== undefined) throw new OAuthError('invalid_scope')
      const outcome = await sessions.refresh(refreshToken, context)
      switch (outcome.kind) {
        case 'rotated':
        case 'replayed':
        case 'replayed_late':
          return outcome.tokens
        case 'reused':
          throw new OAuthError('refresh_reused')
        case 'invalid':
          throw new OAuthError('refresh_invalid')
        case 'over_limit':
          throw overLimitProblem(outcome.limit, 'refresh_invalid')
      }
    },

    /**
     * Introspects a token (RFC 7662): its signature, its times and its current state in the
     * database.
     *
     * @throws OAuthError `invalid_client`, `insufficient_scope`
     */
    async introspect(
      caller: OAuthCaller,
      token: string,
      context: RequestContext,
    ): Promise<IntrospectionResponse> {
      // RFC 7662, section 2.1: the endpoint requires authorization, and a client id alone proves
      // nothing.
      if (caller.kind !== 'service') throw new OAuthError('invalid_client', { cause: 'public client' })
      const needed: Scope = 'tokens.introspect'
      if (!caller.scopes.includes(needed)) {
        await record(
          'client.denied',
          { client_id: caller.id, reason: 'scope_missing', scope: needed },
          context,
        )
        throw new OAuthError('insufficient_scope')
      }
      const read = await readToken(token)
      switch (read.kind) {
        case 'user': {
          const live = await selectIsTokenLive(sql, read.claims)
          const { email: username, acr, auth_time } = read.claims
          return live ? liveAccessToken(read.claims, { username, acr, auth_time }) : inactive
        }
        case 'service': {
          const known = await selectClient(sql, read.claims.client_id)
          return known && !known.disabled
            ? liveAccessToken(read.claims, { scope: read.claims.scope })
            : inactive
        }
        case 'opaque': {
          const known = await selectLiveRefreshToken(sql, hashToken(token))
          return known ? liveRefreshToken(known, { issuer, clientId: frontendClient }) : inactive
        }
      }
    },

    /**
     * Revokes a token (RFC 7009). Section 2 requires it for refresh tokens and recommends it for
     * access tokens; section 2.1 allows an access token to revoke its grant. A user's access token
     * ends its session: gateways learn of revoked sessions, not of single tokens. A service's token
     * is not stored and expires within minutes, so section 2.2.1 applies.
     *
     * A session that has ended is no error: the token is void already (RFC 7009, section 2.2).
     *
     * @throws OAuthError `token_of_another_client`, `unsupported_token_type`; Problem
     *   `rate_limited`
     */
    async revoke(caller: OAuthCaller, token: string, context: RequestContext): Promise<void> {
      const read = await readToken(token)
      switch (read.kind) {
        case 'user': {
          requireOwner(caller, read.claims.client_id)
          await sessions.endOne({ userId: read.claims.sub, sessionId: read.claims.sid }, 'logout', context)
          return
        }
        case 'service':
          requireOwner(caller, read.claims.client_id)
          throw new OAuthError('unsupported_token_type')
        case 'opaque':
          if (caller.kind === 'frontend') {
            const outcome = await sessions.logout(token, { everywhere: false }, context)
            if (outcome.kind === 'over_limit') throw overLimitProblem(outcome.limit, 'refresh_invalid')
          } else if (await selectIsRefreshToken(sql, hashToken(token))) requireOwner(caller, frontendClient)
      }
    },
  }
}

/**
 * RFC 7009, section 2.1: only the client that a token was issued to revokes it.
 */
function requireOwner(caller: OAuthCaller, clientId: string): void {
  if (caller.id !== clientId) throw new OAuthError('token_of_another_client')
}
