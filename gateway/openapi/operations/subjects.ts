import { createSigningIn, ownAccount } from './accounts.ts'
import { roles, trail, upkeep, users } from './administration.ts'
import type { Subject } from './contract.ts'
import { health } from './health.ts'
import { oauth } from './oauth.ts'
import { planAdministration, plans } from './plans.ts'

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
