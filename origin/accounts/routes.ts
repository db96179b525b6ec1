import { Hono } from 'hono'
import { type MeAnswer, verifyEmailBody } from '../../shared/contract.ts'
import { Problem } from '../../shared/errors.ts'
import { type OriginEnv, requireUser } from '../caller.ts'
import type { Sql } from '../database.ts'
import { jsonBody } from '../json-body.ts'
import { requireRights } from '../rights.ts'
import { selectProfile } from './queries.ts'
import { verifyEmail } from './verification.ts'

const readProfile = requireRights({ permissions: { all: ['profile.read'] } })

export function createProfileRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()

  /** The profile from the database, the rights from the token: what the caller may do now is what the gateway goes by. */
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
    } satisfies MeAnswer)
  })

  return routes
}

export function createEmailRoutes(options: Parameters<typeof verifyEmail>[0]) {
  const routes = new Hono<OriginEnv>()

  routes.post('/verify', ...jsonBody(verifyEmailBody), async (c) => {
    await verifyEmail(options, c.req.valid('json'), c.get('client'))
    return c.body(null, 204)
  })

  return routes
}
