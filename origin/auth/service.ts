import type { TokenAnswer } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql } from '../db/types.ts'
import type { LinkTokens } from '../email-tokens/email-tokens.ts'
import { selectEntitlements } from '../entitlements/queries.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Device, DeviceTokens } from '../lockout/device-tokens.ts'
import type { Lockout } from '../lockout/lockout.ts'
import { lockPasswordForUpdate, strangers } from '../lockout/queries.ts'
import type { Mail } from '../mail/service.ts'
import type { PasswordPolicy } from '../passwords/policy.ts'
import { replaceHash } from '../passwords/queries.ts'
import type { SessionService } from '../sessions/service.ts'
import type { LoginLimit } from './login-limit.ts'
import {
  insertAccount,
  insertLoginAttempt,
  insertSubscription,
  lockUnnotifiedOwnerForUpdate,
} from './queries.ts'
import { judgeLogin, type LoginOutcome } from './rules.ts'

interface AuthOptions {
  sql: Sql
  passwords: PasswordPolicy
  lockout: Lockout
  loginLimit: LoginLimit
  sessions: SessionService
  deviceTokens: DeviceTokens
  linkTokens: LinkTokens
  mail: Mail
  requireVerifiedEmail: boolean
  /** Told after the commit, as `onLogin` is. */
  onRegistration?: (outcome: 'registered' | 'address_taken') => void
  onLogin?: (outcome: LoginOutcome) => void
}

interface Registration {
  email: string
  password: string
  displayName: string | null
}

interface Login {
  email: string
  password: string
  /** The device cookie that came along. */
  deviceToken: string | undefined
}

export interface LoggedIn {
  tokens: TokenAnswer
  /**
   * For the device cookie: from now on this device is known to this account beside those it was
   * known to.
   */
  deviceToken: string
}

export type AuthService = ReturnType<typeof createAuthService>

export function createAuthService(options: AuthOptions) {
  const { sql, passwords, lockout, loginLimit, sessions, deviceTokens, linkTokens, mail } = options
  const { requireVerifiedEmail } = options
  const { onRegistration = () => {}, onLogin = () => {} } = options

  return {
    /**
     * Account, role, subscription, audit row and mail, or nothing. A taken address takes as long
     * and answers the same; its owner is told by mail.
     *
     * @throws Problem `validation_failed` for a password that is easy to guess; `overloaded`
     */
    async register({ email, password, displayName }: Registration, context: RequestContext): Promise<void> {
      const passwordHash = await passwords.hashNew(password, {
        email,
        field: '/password',
        address: context.ip,
      })
      const outcome = await sql.begin(async (transaction) => {
        const userId = await insertAccount(transaction, { email, passwordHash, displayName, role: 'user' })
        if (!userId) {
          const owner = await lockUnnotifiedOwnerForUpdate(transaction, email)
          if (owner) await mail.enqueue(transaction, owner.email, mail.messages.addressTaken())
          const details = { owner_told: owner !== undefined }
          await insertAuditRow(transaction, {
            action: 'account.registration_refused',
            actorId: null,
            userId: owner?.userId ?? null,
            context,
            details,
          })
          return 'address_taken' as const
        }
        await insertAuditRow(transaction, { action: 'account.registered', actorId: userId, userId, context })
        await insertSubscription(transaction, userId, 'free')
        await linkTokens.sendVerification(transaction, { userId, email })
        return 'registered' as const
      })
      mail.nudge()
      onRegistration(outcome)
    },

    /**
     * @throws Problem `invalid_credentials`, the same for unknown, wrong, locked and disabled;
     * `email_unverified` for one who knows the password; `rate_limited`; `overloaded`
     */
    async login({ email, password, deviceToken }: Login, context: RequestContext): Promise<LoggedIn> {
      const known = await deviceTokens.read(deviceToken)
      await loginLimit.admit({ email, known }, context)
      const { claim, passwordMatches } = await lockout.evaluate({ email }, password, known, context)
      const { account } = claim
      const rehashed =
        passwordMatches && account && (await passwords.rehash(password, account.passwordHash, context.ip))

      const { outcome, opened } = await sql.begin(async (transaction) => {
        const status =
          passwordMatches && account ? await lockPasswordForUpdate(transaction, account) : undefined
        const outcome = judgeLogin({ claim, status, requireVerifiedEmail })
        if (account && status && rehashed)
          await replaceHash(transaction, account.id, { from: account.passwordHash, to: rehashed })
        await insertLoginAttempt(transaction, { email, userId: account?.id ?? null, outcome, context })
        if (outcome !== 'succeeded' || !account) {
          const details = { reason: outcome }
          const userId = account?.id ?? null
          await insertAuditRow(transaction, {
            action: 'login.failed',
            actorId: null,
            userId,
            context,
            details,
          })
          if (!status) await lockout.fail(transaction, claim, context)
          if (account && outcome === 'email_unverified') {
            await linkTokens.sendVerification(transaction, { userId: account.id, email: account.email })
          }
          return { outcome, opened: undefined }
        }
        const userId = account.id
        const { refreshToken, ...session } = await sessions.open(transaction, userId, context)
        const { sessionId } = session
        await insertAuditRow(transaction, {
          action: 'login.succeeded',
          actorId: userId,
          userId,
          sessionId,
          context,
        })
        const entitlements = await selectEntitlements(transaction, userId)
        if (!entitlements)
          throw new Problem('invalid_credentials', { cause: 'the account went away while it logged in' })
        const device = {
          id: knownDevice(claim.deviceId),
          userId,
          passwordVersion: account.passwordVersion,
        }
        return {
          outcome,
          opened: { bearer: { userId, ...session, ...entitlements }, refreshToken, device },
        }
      })

      onLogin(outcome)
      if (!opened) {
        // A known device has a count of its own, which is the lockout's.
        if (!passwordMatches && claim.deviceId === strangers) await loginLimit.failed(email, context)
        mail.nudge()
        throw new Problem(outcome === 'email_unverified' ? 'email_unverified' : 'invalid_credentials', {
          cause: outcome,
        })
      }
      const { bearer, refreshToken } = opened
      return {
        tokens: await sessions.answer(bearer, refreshToken),
        deviceToken: await deviceTokens.sign(opened.device, known),
      }
    },
  }
}

/** A stranger that got in becomes a device of its own. */
const knownDevice = (deviceId: Device['id']) => (deviceId === strangers ? crypto.randomUUID() : deviceId)
