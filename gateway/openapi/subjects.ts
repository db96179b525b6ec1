import type { Subject } from './contract.ts'
import { createSigningIn, ownAccount } from './operations/accounts.ts'
import { roles, trail, upkeep, users } from './operations/administration.ts'
import { health } from './operations/health.ts'
import { oauth } from './operations/oauth.ts'
import { planAdministration, plans } from './operations/plans.ts'

/** In the order in which a reader meets them. */
export const createSubjects = (settings: { passwordMinLength: number }): readonly Subject[] => [
  createSigningIn(settings),
  ownAccount,
  plans,
  users,
  roles,
  planAdministration,
  trail,
  upkeep,
  oauth,
]

/** Answered by the gateway itself. */
export const ownSubject = health
