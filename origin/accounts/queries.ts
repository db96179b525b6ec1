import type { Queryable, Sql } from '../database.ts'

export interface Profile {
  id: string
  email: string
  emailVerified: boolean
  displayName: string | null
  createdAt: Date
}

export async function selectProfile(sql: Sql, userId: string): Promise<Profile | undefined> {
  const [row] = await sql<[Profile?]>`
    select id, email, email_verified_at is not null as "emailVerified", display_name as "displayName",
      created_at as "createdAt"
    from user_accounts
    where id = ${userId}`
  return row
}

export async function updateEmailVerified(sql: Queryable, userId: string): Promise<void> {
  await sql`
    update user_accounts set email_verified_at = now()
    where id = ${userId} and email_verified_at is null`
}
