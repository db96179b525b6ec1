import type { Permission, Role } from '../catalogue/catalogue.ts'
import type { Queryable, Transaction } from '../db/types.ts'
import type { Rights } from './rules.ts'

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
    select name, level, description, is_default as "isDefault", ${permissionsOf(sql)} as permissions
    from roles role where name > ${after} order by name limit ${limit + 1}`
}

export async function selectPermissionPage(
  sql: Queryable,
  { after, limit }: { after: string; limit: number },
): Promise<Permission[]> {
  return sql<Permission[]>`
    select name, description from permissions where name > ${after} order by name limit ${limit + 1}`
}

/** The current role of an account; undefined where it is gone or disabled. */
export async function selectRoleOf(sql: Queryable, userId: string): Promise<Role | undefined> {
  const [row] = await sql<[Role?]>`
    select role.name, role.level, role.description, role.is_default as "isDefault", ${permissionsOf(sql)} as permissions
    from user_accounts account join roles role on role.id = account.role_id
    where account.id = ${userId} and account.status = 'active'`
  return row
}

/**
 * The rights of a role, which is not removed before the transaction ends.
 *
 * @returns undefined where there is no such role
 */
export async function lockRole(sql: Transaction, name: string): Promise<Rights | undefined> {
  const [row] = await sql<[Rights?]>`
    select level, ${permissionsOf(sql)} as permissions from roles role where name = ${name} for key share`
  return row
}
