import { Hono } from 'hono'
import type { Identity } from '../../shared/auth/claims.ts'
import { type MeResponse, ownAccount, signingIn } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import type { Mail } from '../mail/service.ts'
import { insertEmailTokenRequest } from './email-token-requests.ts'
import type { ProfileService } from './profile-service.ts'
import type { Profile } from './queries.ts'
import { type VerificationOptions, type VerificationOutcome, verifyEmail } from './verification.ts'

const readProfile = requireAuthorization({ permissions: { all: ['profile.read'] } })

const changeProfile = requireAuthorization({ permissions: { all: ['profile.write'] } })

export function createProfileRoutes({ profiles }: { profiles: ProfileService }) {
  const routes = new Hono<OriginEnv>()
  const { readMe, changeMe } = ownAccount.endpoints

  serve(routes, readMe, readProfile, async ({ respond }, c) => {
    const user = requireUser(c.get('user'))
    return respond(meOf(user, await profiles.read(user.sub)))
  })

  serve(routes, changeMe, changeProfile, async ({ body, respond }, c) => {
    const user = requireUser(c.get('user'))
    const { display_name: displayName, locale, time_zone: timeZone, metadata } = body
    const change = {
      ...(displayName !== undefined && { displayName }),
      ...(locale !== undefined && { locale }),
      ...(timeZone !== undefined && { timeZone }),
      ...(metadata !== undefined && { metadata }),
    }
    return respond(meOf(user, await profiles.change(user.sub, change, c.get('context'))))
  })

  return routes
}

/**
 * The profile comes from the database and the permissions from the token, which the gateway
 * enforces.
 *
 * @throws Problem `not_found`
 */
function meOf(user: Identity, profile: Profile | undefined): MeResponse {
  if (!profile) throw new Problem('not_found')
  const { role, level, permissions, plan, features } = user
  return {
    id: profile.id,
    email: profile.email,
    email_verified: profile.emailVerified,
    display_name: profile.displayName,
    role,
    level,
    permissions,
    plan,
    features,
    created_at: profile.createdAt.toISOString(),
    locale: profile.locale,
    time_zone: profile.timeZone,
    metadata: profile.metadata,
  }
}

interface EmailRoutesOptions extends VerificationOptions {
  mail: Pick<Mail, 'wake'>
}

export function createEmailRoutes(options: EmailRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  serve(routes, signingIn.verifyEmail, async ({ body, respond }, c) => {
    requireVerified(await verifyEmail(options, body, c.get('context')))
    return respond()
  })

  /**
   * The account is looked up later, so that the response time does not reveal it.
   */
  serve(routes, signingIn.resendVerification, async ({ body: { email }, respond }, c) => {
    await insertEmailTokenRequest(options.sql, 'email_verification', { email, context: c.get('context') })
    options.mail.wake()
    return respond({ status: 'accepted' })
  })

  return routes
}

/** @throws Problem `link_invalid`, `password_wrong` */
function requireVerified(outcome: VerificationOutcome): void {
  switch (outcome.kind) {
    case 'verified':
      return
    case 'link_invalid':
      throw new Problem('link_invalid')
    case 'wrong_password':
      throw new Problem('password_wrong')
  }
}
