import type { Sql } from '../database.ts'

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
