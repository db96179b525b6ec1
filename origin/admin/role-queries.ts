import type { Permission, Role } from '../catalogue/catalogue.ts'
import type { Queryable } from '../db/types.ts'

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
