import type { TokenResponse } from '../../shared/contract.ts'
import type { Now } from '../../shared/lib/time.ts'
import { insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { EmailTokens } from '../email-tokens/email-tokens.ts'
import { selectFactors } from '../factors/queries.ts'
import { byPassword, hasSecondFactor, maySkipFactor, noFactors } from '../factors/rules.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Device, DeviceTokens } from '../lockout/device-tokens.ts'
import type { Lockout } from '../lockout/lockout.ts'
import { lockPasswordForUpdate, unknownDevice } from '../lockout/queries.ts'
import type { Mail } from '../mail/service.ts'
import type { PasswordPolicy } from '../passwords/policy.ts'
import { replaceHash } from '../passwords/queries.ts'
import { schemeOf } from '../passwords/stored-scheme.ts'
import type { SessionService } from '../sessions/service.ts'
import { type FactorRequired, requireFactor } from './factor-challenge.ts'
import type { LoginLimit } from './login-limit.ts'
import { openLogin } from './open-login.ts'
import {
  insertAccount,
  insertLoginAttempt,
  insertSubscription,
  lockDefaults,
  lockUnnotifiedOwnerForUpdate,
} from './queries.ts'
import { evaluateLogin, type LoginFailure, type LoginKind } from './rules.ts'

/** Hidden from the client, which could otherwise learn who has an account. */
export type RegistrationKind = 'registered' | 'address_taken'

interface AuthOptions {
  sql: Sql
  passwords: PasswordPolicy
  lockout: Lockout
  loginLimit: LoginLimit
  sessions: SessionService
  deviceTokens: DeviceTokens
  emailTokens: EmailTokens
  mail: Mail
  requireVerifiedEmail: boolean
  /** How long a device on which a second factor was presented may skip it; 0: never. */
  rememberDeviceSeconds: number
  now?: Now
  /** Called after the commit, like `onLogin`. */
  onRegistration?: (kind: RegistrationKind) => void
  onLogin?: (kind: LoginKind) => void
}

interface Registration {
  email: string
  password: string
  displayName: string | null
}

interface Login {
  email: string
  password: string
  /** The request's device cookie. */
  deviceToken: string | undefined
}

export interface LoggedIn {
  kind: 'succeeded'
  tokens: TokenResponse
  /**
   * The new device cookie: the device is now known to this account, beside the accounts that knew
   * it before.
   */
  deviceToken: string
}

export type LoginOutcome = LoggedIn | FactorRequired | { kind: LoginFailure }

export type AuthService = ReturnType<typeof createAuthService>

export function createAuthService(options: AuthOptions) {
  const { sql, passwords, lockout, loginLimit, sessions, deviceTokens, emailTokens, mail } = options
  const { requireVerifiedEmail, rememberDeviceSeconds, now = Date.now } = options
  const { onRegistration = () => {}, onLogin = () => {} } = options

  return {
    /**
     * Inserts account, role, subscription, audit row and mail in one transaction. A taken address
     * takes as long and gives the same response; its owner is notified by mail.
     *
     * @throws Problem `validation_failed` for a password that is easy to guess; `overloaded`
     */
    async register({ email, password, displayName }: Registration, context: RequestContext): Promise<void> {
      const passwordHash = await passwords.hashNew(password, {
        email,
        field: '/password',
        address: context.ip,
      })
      const kind = await sql.begin(async (transaction): Promise<RegistrationKind> => {
        const { role, plan } = await lockDefaults(transaction)
        const userId = await insertAccount(transaction, { email, passwordHash, displayName, role })
        if (!userId) {
          const owner = await lockUnnotifiedOwnerForUpdate(transaction, email)
          const cause = { requestedBy: context.ip }
          if (owner) await mail.enqueue(transaction, owner.email, mail.messages.addressTaken(), cause)
          const details = { owner_told: owner !== undefined }
          await insertAuditRow(transaction, {
            action: 'account.registration_refused',
            actorId: null,
            userId: owner?.userId ?? null,
            context,
            details,
          })
          return 'address_taken'
        }
        await insertAuditRow(transaction, { action: 'account.registered', actorId: userId, userId, context })
        await insertSubscription(transaction, userId, plan)
        await emailTokens.sendVerification(transaction, { userId, email, requestedBy: context.ip })
        return 'registered'
      })
      mail.wake()
      onRegistration(kind)
    },

    /** @throws Problem `rate_limited`, `overloaded`, `verifier_unavailable` */
    async login({ email, password, deviceToken }: Login, context: RequestContext): Promise<LoginOutcome> {
      const known = await deviceTokens.read(deviceToken)
      await loginLimit.admit({ email, known }, context)
      const { reservation, passwordMatches } = await lockout.evaluate({ email }, password, known, context)
      const { account } = reservation
      const before = passwordMatches ? account?.passwordHash : undefined
      const rehashed = before ? await passwords.rehash(password, before, context.ip) : undefined

      const outcome = await sql.begin(async (transaction) => {
        const status =
          passwordMatches && account ? await lockPasswordForUpdate(transaction, account) : undefined
        if (account && status && before && rehashed)
          await recordRehash(transaction, account.id, { from: before, to: rehashed }, context)
        const ownDevice = known.find(({ id }) => id === reservation.deviceId)
        const factors = account && status ? await selectFactors(transaction, account.id) : noFactors
        const isFactorDue =
          hasSecondFactor(factors) &&
          !maySkipFactor(ownDevice, factors, { rememberSeconds: rememberDeviceSeconds, now: now() })
        const verdict = evaluateLogin({ reservation, status, requireVerifiedEmail, isFactorDue })
        const { kind } = verdict
        await insertLoginAttempt(transaction, { email, userId: account?.id ?? null, kind, context })
        if (verdict.kind === 'mfa_required') {
          const { id: userId, passwordVersion } = verdict.account
          const deviceId = ownDevice?.id ?? known[0]?.id ?? null
          return requireFactor(transaction, { userId, passwordVersion, deviceId, factors, context })
        }
        if (verdict.kind !== 'succeeded') {
          await insertAuditRow(transaction, {
            action: 'login.failed',
            actorId: null,
            userId: account?.id ?? null,
            context,
            details: { reason: verdict.kind },
          })
          if (!status) await lockout.fail(transaction, reservation, context)
          if (account && verdict.kind === 'email_unverified') {
            const recipient = { userId: account.id, email: account.email, requestedBy: context.ip }
            await emailTokens.sendVerification(transaction, recipient)
          }
          return { kind: verdict.kind }
        }
        const { id: userId, passwordVersion } = verdict.account
        const opened = await openLogin(transaction, sessions, {
          userId,
          authentication: byPassword,
          context,
        })
        const device = {
          id: knownDeviceId(reservation.deviceId),
          userId,
          passwordVersion,
          factorAt: ownDevice?.factorAt,
          codeAt: ownDevice?.codeAt,
        }
        return { kind: verdict.kind, ...opened, device }
      })

      onLogin(outcome.kind)
      if (outcome.kind === 'mfa_required') return outcome
      if (outcome.kind !== 'succeeded') {
        // The lockout counts a known device apart.
        if (!passwordMatches && reservation.deviceId === unknownDevice)
          await loginLimit.failed(email, context)
        mail.wake()
        return { kind: outcome.kind }
      }
      return {
        kind: 'succeeded',
        tokens: await sessions.createTokenResponse(outcome.bearer, outcome.refreshToken),
        deviceToken: await deviceTokens.sign(outcome.device, known),
      }
    },
  }
}

/** Replaces the stored hash by a current one of the same password, with its audit row. */
async function recordRehash(
  transaction: Transaction,
  userId: string,
  hashes: { from: string; to: string },
  context: RequestContext,
): Promise<void> {
  if (!(await replaceHash(transaction, userId, hashes))) return
  const details = { before: schemeOf(hashes.from), after: schemeOf(hashes.to) }
  await insertAuditRow(transaction, {
    action: 'password.rehashed',
    actorId: userId,
    userId,
    context,
    details,
  })
}

/** An unknown device gets an id of its own. */
const knownDeviceId = (deviceId: Device['id']) =>
  deviceId === unknownDevice ? crypto.randomUUID() : deviceId
