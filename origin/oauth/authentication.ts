import { frontendClient } from '../../shared/auth/claims.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import { isClientId } from './clients/client-id.ts'
import { matchSecret } from './clients/client-secret.ts'
import { selectClient, updateClientLastUsed } from './clients/queries.ts'
import { type ClientOutcome, evaluateClient } from './clients/rules.ts'
import type { Credentials } from './credentials.ts'
import { OAuthError } from './errors.ts'

/** The authenticated client of a request under /oauth. */
export type OAuthCaller =
  | { kind: 'frontend'; id: string }
  | { kind: 'service'; id: string; scopes: string[]; secret: 'current' | 'previous' }

type FailureReason =
  | Extract<ClientOutcome, { kind: 'rejected' }>['reason']
  | 'secret_missing'
  | 'unreadable_credentials'

/** An id that no client has. It replaces ids that Postgres might reject. */
const unknownClientId = ''

/**
 * Client authentication (RFC 6749, section 2.3). Unknown, wrong and disabled get the same response
 * and cost the same.
 */
export function createClientAuthentication({ sql }: { sql: Sql }) {
  async function reject(
    reason: FailureReason,
    { clientId, challenge }: { clientId?: string; challenge: boolean },
    context: RequestContext,
  ): Promise<never> {
    // An address over its limit writes no more rows, and is not told whether it failed.
    if (context.overLimit) throw overLimitProblem(context.overLimit, reason)
    await insertAuditRow(sql, {
      action: 'client.authentication_failed',
      actorId: null,
      userId: null,
      context,
      details: { reason, ...(clientId !== undefined && isClientId(clientId) && { client_id: clientId }) },
    })
    throw new OAuthError('invalid_client', { challenge, cause: reason })
  }

  /**
   * @throws OAuthError `invalid_client`, `credentials_repeated`; Problem `rate_limited` where the
   *   address is over its limit
   */
  return async function authenticateClient(
    credentials: Credentials,
    context: RequestContext,
  ): Promise<OAuthCaller> {
    switch (credentials.kind) {
      case 'none':
        // RFC 9110, section 15.5.2: a 401 says how to authenticate.
        throw new OAuthError('invalid_client', { challenge: true, cause: 'no credentials' })
      case 'repeated':
        throw new OAuthError('credentials_repeated')
      case 'unreadable':
        return reject('unreadable_credentials', { challenge: credentials.inHeader }, context)
      case 'public': {
        const { clientId } = credentials
        if (clientId === frontendClient) return { kind: 'frontend', id: clientId }
        return reject('secret_missing', { clientId, challenge: false }, context)
      }
      case 'secret': {
        const { clientId, secret, inHeader } = credentials
        const stored = await selectClient(sql, isClientId(clientId) ? clientId : unknownClientId)
        const outcome = evaluateClient({ client: stored, secret: matchSecret(secret, stored) })
        if (outcome.kind === 'rejected')
          return reject(outcome.reason, { clientId, challenge: inHeader }, context)
        const { client, secret: used } = outcome
        await updateClientLastUsed(sql, client.id, used)
        return { kind: 'service', id: client.id, scopes: client.scopes, secret: used }
      }
    }
  }
}
