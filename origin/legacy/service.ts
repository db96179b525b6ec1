import type { TokenResponse } from '../../shared/contract.ts'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import { insertAuditRow } from '../audit/queries.ts'
import { type FactorRequired, requireFactor } from '../auth/factor-challenge.ts'
import type { Sql, Transaction } from '../db/types.ts'
import { selectEntitlements } from '../entitlements/queries.ts'
import { selectFactors } from '../factors/queries.ts'
import { hasSecondFactor, noFactors } from '../factors/rules.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { SessionWithEntitlements } from '../sessions/queries.ts'
import type { SessionService } from '../sessions/service.ts'
import { lockImportedAccountForUpdate, selectPasswordVersion, spendLegacyToken } from './queries.ts'
import { type ExchangeRefusal, evaluateExchange } from './rules.ts'
import type { LegacyTokenFault } from './token-rules.ts'
import type { LegacyIdentity, VerifyLegacyToken } from './verify-legacy-token.ts'

interface LegacyExchangeOptions {
  sql: Sql
  verify: VerifyLegacyToken
  sessions: Pick<SessionService, 'open' | 'createTokenResponse'>
  requireVerifiedEmail: boolean
  /** Called for each presented token, after the commit. */
  onExchange?: (kind: ExchangeKind) => void
}

type Refusal = { kind: ExchangeRefusal | 'spent' | 'issuer_ended' | 'without_exp' }

type PresentedTokenOutcome =
  | { kind: 'exchanged'; tokens: TokenResponse }
  | FactorRequired
  | { kind: 'invalid'; fault: LegacyTokenFault }
  | Refusal

export type ExchangeOutcome = PresentedTokenOutcome | { kind: 'over_limit'; limit: OverLimit }

/** The kinds are values of a metric label. */
export type ExchangeKind = PresentedTokenOutcome['kind']

export type LegacyExchange = (token: string, context: RequestContext) => Promise<ExchangeOutcome>

type Opened = { kind: 'exchanged'; session: SessionWithEntitlements; refreshToken: string }

/**
 * The former system signed its users in by password. Its tokens prove no recent authentication: a
 * change of credentials asks for one.
 */
const byFormerToken = { amr: ['pwd'], acr: 'aal1', authTime: 0 } as const

/**
 * Exchanges a token of a former system, once, for a session of the account that was imported with
 * its id. A forged token costs no query. Where the account has a second factor the token begins a
 * login that a code finishes. The token is spent all the same: it gives five tries at codes.
 * Of an address over its limit only a token that is spent gets another response than 429, and the
 * others leave no audit row.
 */
export function createLegacyExchange(options: LegacyExchangeOptions): LegacyExchange {
  const { sql, verify, sessions, requireVerifiedEmail, onExchange = () => {} } = options

  async function open(
    transaction: Transaction,
    { issuer, externalId, digest, expiresAt }: LegacyIdentity,
    context: RequestContext,
  ): Promise<Opened | FactorRequired | { kind: ExchangeRefusal | 'spent' }> {
    const account = await lockImportedAccountForUpdate(transaction, externalId)
    const factors = account ? await selectFactors(transaction, account.id) : noFactors
    const isFactorDue = hasSecondFactor(factors)
    const verdict = evaluateExchange({ account, requireVerifiedEmail, isFactorDue })
    const isAdmitted =
      'account' in verdict &&
      (await spendLegacyToken(transaction, { digest, expiresAt: new Date(expiresAt) }))
    if (!isAdmitted) {
      const kind = 'account' in verdict ? 'spent' : verdict.kind
      if (!context.overLimit)
        await insertAuditRow(transaction, {
          action: 'token.exchange_refused',
          actorId: null,
          userId: account?.id ?? null,
          context,
          details: { reason: kind, issuer },
        })
      return { kind }
    }
    const userId = verdict.account.id
    if (verdict.kind === 'mfa_required') {
      const passwordVersion = await selectPasswordVersion(transaction, userId)
      const challenge = { userId, passwordVersion, deviceId: null }
      return requireFactor(transaction, { ...challenge, factors, context, details: { issuer } })
    }
    const { refreshToken, ...session } = await sessions.open(transaction, userId, byFormerToken, context)
    await insertAuditRow(transaction, {
      action: 'token.exchanged',
      actorId: userId,
      userId,
      sessionId: session.sessionId,
      context,
      details: { issuer },
    })
    const entitlements = await selectEntitlements(transaction, userId)
    // The locked row keeps the account active, and every account has a role and a plan.
    if (!entitlements) throw new Error('an active account has no entitlements')
    return { kind: 'exchanged', session: { userId, ...session, ...entitlements }, refreshToken }
  }

  async function present(token: string, context: RequestContext): Promise<PresentedTokenOutcome> {
    const verified = await verify(token)
    if (verified.kind !== 'genuine') return verified
    const opened = await sql.begin((transaction) => open(transaction, verified.identity, context))
    if (opened.kind !== 'exchanged') return opened
    return {
      kind: 'exchanged',
      tokens: await sessions.createTokenResponse(opened.session, opened.refreshToken),
    }
  }

  return async function exchangeLegacyToken(token, context) {
    const outcome = await present(token, context)
    onExchange(outcome.kind)
    const isSpent = outcome.kind === 'exchanged' || outcome.kind === 'mfa_required'
    if (context.overLimit && !isSpent) return { kind: 'over_limit', limit: context.overLimit }
    return outcome
  }
}
