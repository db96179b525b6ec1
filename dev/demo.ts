import { insertAccount, insertSubscription } from '../origin/auth/queries.ts'
import { findByName } from '../origin/catalogue/catalogue.ts'
import { selectCatalogue } from '../origin/catalogue/queries.ts'
import type { Queryable, Sql } from '../origin/db/types.ts'
import type { PasswordHasher } from '../origin/passwords/hasher.ts'

export interface DemoAccount {
  email: string
  role: string
  plan: string
}

/** One for each role, on plans that let their answers differ. */
export const demoAccounts: readonly DemoAccount[] = [
  { email: 'guest@example.com', role: 'guest', plan: 'free' },
  { email: 'user@example.com', role: 'user', plan: 'free' },
  { email: 'subscriber@example.com', role: 'subscriber', plan: 'pro' },
  { email: 'admin@example.com', role: 'admin', plan: 'business' },
  { email: 'superadmin@example.com', role: 'superadmin', plan: 'enterprise' },
]

/** The demo accounts whose role and plan the catalogue of a database has. */
export async function selectDemoAccounts(sql: Queryable): Promise<DemoAccount[]> {
  const { roles, plans } = await selectCatalogue(sql)
  return demoAccounts.filter(({ role, plan }) => findByName(roles, role) && findByName(plans, plan))
}

/**
 * Adds the accounts that are missing and leaves those that are there as they are. A catalogue of
 * one's own may lack the role or the plan of some: those are left out.
 *
 * @returns the addresses added now
 */
export async function seedDemoAccounts(
  sql: Sql,
  passwords: Pick<PasswordHasher, 'hash'>,
  password: string,
): Promise<string[]> {
  const passwordHash = await passwords.hash(password)
  const added: string[] = []
  await sql.begin(async (transaction) => {
    for (const { email, role, plan } of await selectDemoAccounts(transaction)) {
      const userId = await insertAccount(transaction, {
        email,
        passwordHash,
        displayName: `Demo ${role}`,
        role,
      })
      if (!userId) continue
      await insertSubscription(transaction, userId, plan)
      added.push(email)
    }
  })
  return added
}
