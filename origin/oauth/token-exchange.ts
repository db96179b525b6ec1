import { type ExchangedTokenResponse, tokenTypes } from '../../shared/contract.ts'
import { overLimitProblem } from '../../shared/http/over-limit.ts'
import { factorRequiredParts } from '../auth/factor-challenge.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { ExchangeOutcome, LegacyExchange } from '../legacy/service.ts'
import type { OAuthCaller } from './authentication.ts'
import { OAuthError } from './errors.ts'
import type { Form } from './form.ts'

interface TokenExchangeRequest {
  form: Form
  caller: OAuthCaller
  context: RequestContext
}

/**
 * The token exchange (RFC 8693), for the frontend and for tokens of former systems alone. A
 * parameter that asks for more is rejected: an actor, another type of token, another target.
 *
 * Throws or rejects with OAuthError `unauthorized_client`, `parameter_missing`, `invalid_scope`,
 * `invalid_target`, `actor_token_unsupported`, `subject_token_type_unsupported`,
 * `requested_token_type_unsupported`, `legacy_token_invalid`, `legacy_token_without_exp`,
 * `legacy_token_spent`, `legacy_issuer_ended`, `mfa_required`, `email_unverified`; Problem
 * `rate_limited`, `keys_unavailable`
 */
export function createTokenExchange(exchange: LegacyExchange) {
  return async function exchangeToken({
    form,
    caller,
    context,
  }: TokenExchangeRequest): Promise<ExchangedTokenResponse> {
    if (caller.kind !== 'frontend') throw new OAuthError('unauthorized_client')
    const token = readSubjectToken(form)
    return {
      ...requireExchanged(await exchange(token, context)),
      issued_token_type: tokenTypes.accessToken,
    }
  }
}

function readSubjectToken(form: Form): string {
  for (const name of ['subject_token', 'subject_token_type'])
    if (!form.has(name)) throw new OAuthError('parameter_missing', { cause: name })
  if (form.get('subject_token_type') !== tokenTypes.jwt)
    throw new OAuthError('subject_token_type_unsupported')
  if (form.has('actor_token') || form.has('actor_token_type')) throw new OAuthError('actor_token_unsupported')
  const requested = form.get('requested_token_type') ?? tokenTypes.accessToken
  if (requested !== tokenTypes.accessToken) throw new OAuthError('requested_token_type_unsupported')
  if (form.has('audience') || form.has('resource')) throw new OAuthError('invalid_target')
  // A user's token has permissions and no scopes.
  if (form.has('scope')) throw new OAuthError('invalid_scope')
  return form.get('subject_token') ?? ''
}

function requireExchanged(outcome: ExchangeOutcome) {
  switch (outcome.kind) {
    case 'exchanged':
      return outcome.tokens
    case 'mfa_required':
      throw new OAuthError('mfa_required', factorRequiredParts(outcome))
    case 'invalid':
      throw new OAuthError('legacy_token_invalid', { cause: outcome.fault })
    case 'account_unknown':
    case 'account_disabled':
      throw new OAuthError('legacy_token_invalid', { cause: outcome.kind })
    case 'without_exp':
      throw new OAuthError('legacy_token_without_exp')
    case 'spent':
      throw new OAuthError('legacy_token_spent')
    case 'issuer_ended':
      throw new OAuthError('legacy_issuer_ended')
    case 'email_unverified':
      throw new OAuthError('email_unverified')
    case 'over_limit':
      throw overLimitProblem(outcome.limit, 'legacy_token_invalid')
  }
}
