import { Hono } from 'hono'
import type { MeAnswer } from '../../shared/contract.ts'
import { Problem } from '../../shared/errors.ts'
import { type OriginEnv, requireUser } from '../caller.ts'
import type { Sql } from '../database.ts'
import { selectProfile } from './queries.ts'

export function createAccountRoutes({ sql }: { sql: Sql }) {
  const routes = new Hono<OriginEnv>()

  /** The profile from the database, the rights from the token: what the caller may do now is what the gateway goes by. */
  routes.get('/me', async (c) => {
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
