import { overLimitProblem } from '../../shared/http/over-limit.ts'
import type { Now } from '../../shared/lib/time.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { CodeLimit } from '../factors/code-limit.ts'
import { selectFactors } from '../factors/queries.ts'
import { recordRecoveryCodeUse } from '../factors/recovery-code-use.ts'
import { byPassword, hasPresentedFactor, withCode } from '../factors/rules.ts'
import type { CodeVerifier, PresentedCode } from '../factors/verify-code.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Device, DeviceTokens } from '../lockout/device-tokens.ts'
import { lockPasswordForUpdate } from '../lockout/queries.ts'
import type { Mail } from '../mail/service.ts'
import { hashToken } from '../opaque-token.ts'
import type { SessionService } from '../sessions/service.ts'
import {
  type LoginChallenge,
  reserveChallengeTry,
  returnChallengeTry,
  spendLoginChallenge,
} from './login-challenges.ts'
import { type OpenedLogin, openLogin } from './open-login.ts'
import { insertLoginAttempt } from './queries.ts'
import type { LoginKind } from './rules.ts'
import type { LoggedIn } from './service.ts'

interface FactorLoginOptions {
  sql: Sql
  codes: CodeVerifier
  /** Limits attempts at codes, apart from those at passwords. */
  codeLimit: CodeLimit
  sessions: SessionService
  deviceTokens: DeviceTokens
  mail: Mail
  /** Called after the commit. */
  onLogin?: (kind: LoginKind) => void
  now?: Now
}

interface FactorLogin extends PresentedCode {
  mfaToken: string
  /** The request's device cookie. */
  deviceToken: string | undefined
  /** Whether the device may skip the second factor next time, where that is allowed. */
  rememberDevice: boolean
}

export type FactorLoginOutcome =
  | LoggedIn
  | { kind: 'wrong_code' }
  /** Unknown, expired, used, out of tries, of another device, or of a former password. */
  | { kind: 'mfa_token_invalid' }

type Evaluated = ({ kind: 'succeeded' } & OpenedLogin) | { kind: 'wrong_code' | 'mfa_token_invalid' }

export type FactorLoginService = ReturnType<typeof createFactorLogin>

/** Finishes logins whose password was right, with a second factor. */
export function createFactorLogin({
  sql,
  codes,
  codeLimit,
  sessions,
  deviceTokens,
  mail,
  onLogin = () => {},
  now = Date.now,
}: FactorLoginOptions) {
  async function open(
    transaction: Transaction,
    hash: Uint8Array,
    { userId, passwordVersion }: LoginChallenge,
    { email, presented, context }: { email: string; presented: PresentedCode; context: RequestContext },
  ): Promise<Evaluated> {
    const locked = await lockPasswordForUpdate(transaction, { id: userId, passwordVersion })
    if (locked !== 'active') return { kind: 'mfa_token_invalid' }
    if (!(await codes.spend(transaction, userId, presented))) return { kind: 'wrong_code' }
    if (!(await spendLoginChallenge(transaction, hash))) return { kind: 'mfa_token_invalid' }
    if (presented.factor === 'recovery_code')
      await recordRecoveryCodeUse(transaction, mail, { userId, email, context })
    await insertLoginAttempt(transaction, { email, userId, kind: 'succeeded', context })
    const opened = await openLogin(transaction, sessions, {
      userId,
      authentication: withCode(byPassword),
      context,
    })
    return { kind: 'succeeded', ...opened }
  }

  return {
    /**
     * One of the tries is reserved before the code is evaluated. A right code opens the session,
     * and is spent with the challenge in the same commit.
     *
     * @throws Problem `overloaded`, `rate_limited`; such an attempt does not count
     */
    async login(
      { mfaToken, deviceToken, rememberDevice, factor, code }: FactorLogin,
      context: RequestContext,
    ): Promise<FactorLoginOutcome> {
      const known = await deviceTokens.read(deviceToken)
      const hash = hashToken(mfaToken)
      const challenge = await reserveChallengeTry(sql, hash)
      const ownDevice = challenge && known.find((device) => isOf(device, challenge))
      // As at logins, an address over its limit is served on devices of the account alone.
      if (context.overLimit && !ownDevice) {
        if (challenge) await returnChallengeTry(sql, hash)
        throw overLimitProblem(context.overLimit, challenge ? 'unknown_device' : 'mfa_token_invalid')
      }
      if (!challenge) return { kind: 'mfa_token_invalid' }
      const { userId, passwordVersion, deviceId } = challenge
      if (deviceId !== null && !known.some(({ id }) => id === deviceId)) return { kind: 'mfa_token_invalid' }

      const presented = { factor, code }
      const { reservation, isRight } = await selectFactors(sql, userId)
        .then((factors) => {
          const ownGroups = ownDevice && hasPresentedFactor(ownDevice, factors) ? [ownDevice] : []
          return codeLimit.evaluate(userId, presented, ownGroups, context)
        })
        .catch(async (error) => {
          await returnChallengeTry(sql, hash)
          throw error
        })
      const email = reservation.account?.email ?? ''
      const outcome = await sql.begin(async (transaction): Promise<Evaluated> => {
        const evaluated: Evaluated = isRight
          ? await open(transaction, hash, challenge, { email, presented, context })
          : { kind: 'wrong_code' }
        if (evaluated.kind === 'wrong_code') {
          await insertLoginAttempt(transaction, { email, userId, kind: evaluated.kind, context })
          await insertAuditRow(transaction, {
            action: 'login.failed',
            actorId: null,
            userId,
            context,
            details: { reason: evaluated.kind, factor },
          })
        }
        if (!isRight) await codeLimit.fail(transaction, reservation, context)
        return evaluated
      })
      mail.wake()
      if (outcome.kind !== 'mfa_token_invalid') onLogin(outcome.kind)
      if (outcome.kind !== 'succeeded') return outcome
      const codeAt = Math.floor(now() / 1000)
      const device = {
        id: ownDevice?.id ?? crypto.randomUUID(),
        userId,
        passwordVersion,
        factorAt: rememberDevice ? codeAt : ownDevice?.factorAt,
        codeAt,
      }
      return {
        kind: 'succeeded',
        tokens: await sessions.createTokenResponse(outcome.bearer, outcome.refreshToken),
        deviceToken: await deviceTokens.sign(device, known),
      }
    },
  }
}

/** Whether a device is one of the account of a challenge, with its present password. */
const isOf = (device: Device, { userId, passwordVersion }: LoginChallenge) =>
  device.userId === userId && device.passwordVersion === passwordVersion
