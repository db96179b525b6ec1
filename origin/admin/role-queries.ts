import type { Queryable, Transaction } from '../db/types.ts'

export interface Role {
  name: string
  level: number
  description: string
  permissions: string[]
}

const permissionsOf = (sql: Queryable) => sql`
  array(
    select permission.name from role_permissions
    join permissions permission on permission.id = role_permissions.permission_id
    where role_permissions.role_id = role.id
    order by permission.name
  )`

/** By name. */
export async function selectRolePage(
  sql: Queryable,
  { after, limit }: { after: string; limit: number },
): Promise<Role[]> {
  return sql<Role[]>`
    select name, level, description, ${permissionsOf(sql)} as permissions
    from roles role where name > ${after} order by name limit ${limit + 1}`
}

export async function selectPermissionPage(
  sql: Queryable,
  { after, limit }: { after: string; limit: number },
): Promise<{ name: string; description: string }[]> {
  return sql<{ name: string; description: string }[]>`
    select name, description from permissions where name > ${after} order by name limit ${limit + 1}`
}

/**
 * Selects a role and locks its row until the transaction ends. The lock comes first: a statement
 * that waits for it sees the permissions from before the wait.
 */
export async function lockRoleForUpdate(sql: Transaction, name: string): Promise<Role | undefined> {
  await sql`select from roles where name = ${name} for no key update`
  const [row] = await sql<[Role?]>`
    select name, level, description, ${permissionsOf(sql)} as permissions from roles role where name = ${name}`
  return row
}

/** The current role of an account; undefined where it is gone or disabled. */
export async function selectRoleOf(sql: Queryable, userId: string): Promise<Role | undefined> {
  const [row] = await sql<[Role?]>`
    select role.name, role.level, role.description, ${permissionsOf(sql)} as permissions
    from user_accounts account join roles role on role.id = account.role_id
    where account.id = ${userId} and account.status = 'active'`
  return row
}

/** @returns the names that are permissions, sorted and without duplicates */
export async function selectPermissionNames(sql: Queryable, names: readonly string[]): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select name from permissions where name = any(${names as string[]}) order by name`
  return rows.map(({ name }) => name)
}

export async function replaceRolePermissions(
  sql: Queryable,
  role: string,
  permissions: readonly string[],
): Promise<void> {
  await sql`
    with role as (select id from roles where name = ${role}),
    wanted as (select id from permissions where name = any(${permissions as string[]})),
    removed as (
      delete from role_permissions
      where role_id = (select id from role) and permission_id not in (select id from wanted)
    )
    insert into role_permissions (role_id, permission_id)
    select role.id, wanted.id from role, wanted
    on conflict do nothing`
}
