import { createSigningIn, ownAccount } from './accounts.ts'
import { audit, roles, upkeep, users } from './administration.ts'
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
  audit,
  upkeep,
  oauth,
]

/** Answered by the gateway itself. */
export const ownSubject = health
