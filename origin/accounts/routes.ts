import { Hono } from 'hono'
import {
  type AcceptedResponse,
  type MeResponse,
  resendVerificationBody,
  verifyEmailBody,
} from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { Sql } from '../db/types.ts'
import { jsonBody } from '../http/json-body.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import type { Mail } from '../mail/service.ts'
import { insertEmailTokenRequest } from './email-token-requests.ts'
import { selectProfile } from './queries.ts'
import { type VerificationOptions, type VerificationOutcome, verifyEmail } from './verification.ts'

const readProfile = requireAuthorization({ permissions: { all: ['profile.read'] } })

export function createProfileRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()

  /**
   * The profile from the database, the rights from the token: what the caller may do now is what
   * the gateway goes by.
   */
  routes.get('/me', readProfile, async (c) => {
    const { sub, role, level, permissions, plan, features } = requireUser(c.get('user'))
    const profile = await selectProfile(sql, sub)
    if (!profile) throw new Problem('not_found')
    return c.json({
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
    } satisfies MeResponse)
  })

  return routes
}

interface EmailRoutesOptions extends VerificationOptions {
  mail: Pick<Mail, 'nudge'>
}

export function createEmailRoutes(options: EmailRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.post('/verify', ...jsonBody(verifyEmailBody), async (c) => {
    requireVerified(await verifyEmail(options, c.req.valid('json'), c.get('context')))
    return c.body(null, 204)
  })

  /**
   * Whether there is an account to mail a link to is looked up later, so that the time tells
   * nobody.
   */
  routes.post('/resend', ...jsonBody(resendVerificationBody), async (c) => {
    const { email } = c.req.valid('json')
    await insertEmailTokenRequest(options.sql, 'email_verification', { email, context: c.get('context') })
    options.mail.nudge()
    return c.json({ status: 'accepted' } satisfies AcceptedResponse, 202)
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
