import { Hono } from 'hono'
import { ownAccount, signingIn } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import type { Mail } from '../mail/service.ts'
import { insertEmailTokenRequest } from './email-token-requests.ts'
import { selectProfile } from './queries.ts'
import { type VerificationOptions, type VerificationOutcome, verifyEmail } from './verification.ts'

const readProfile = requireAuthorization({ permissions: { all: ['profile.read'] } })

export function createProfileRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()

  /**
   * The profile comes from the database and the permissions from the token, which the gateway
   * enforces.
   */
  serve(routes, ownAccount.endpoints.readMe, readProfile, async ({ respond }, c) => {
    const { sub, role, level, permissions, plan, features } = requireUser(c.get('user'))
    const profile = await selectProfile(sql, sub)
    if (!profile) throw new Problem('not_found')
    return respond({
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
    })
  })

  return routes
}

interface EmailRoutesOptions extends VerificationOptions {
  mail: Pick<Mail, 'nudge'>
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
    options.mail.nudge()
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
