import { setRoleSettings } from '../pooled-sessions.ts'
import type { Sql, Transaction } from '../types.ts'
import { scramVerifier } from './scram-verifier.ts'

export interface Login {
  user: string
  password: string
}

interface Roles {
  /** Owns the schema: `npm run migrate`. */
  owner: Login
  /** Reads and writes rows, and nothing else: origins and the other commands. */
  origin: Login
  /** Whether sessions take their settings from the role: behind a pooler in transaction mode. */
  isPooled: boolean
}

/** An arbitrary advisory lock key: two runs would change the same roles. */
const rolesLock = '4148305192'

/** Runs a statement whose names and texts are the server's to quote, as %I and %L. */
async function execute(transaction: Transaction, template: string, ...values: string[]): Promise<void> {
  const [statement] = await transaction<[{ text: string }]>`
    select format(${template}, variadic ${values}::text[]) as text`
  await transaction.unsafe(statement.text)
}

/**
 * Makes the roles of this database, or gives them the passwords and rights again. The user of `sql`
 * owns the database and may make roles, as the master user of a managed PostgreSQL does; it need be
 * no superuser. Tables that the owner makes later have the same rights.
 */
export async function createRoles(sql: Sql, { owner, origin, isPooled }: Roles): Promise<void> {
  await sql.begin(async (transaction) => {
    const [{ database, schema }] = await transaction<[{ database: string; schema: string }]>`
      select current_database() as database, current_schema() as schema,
        pg_advisory_xact_lock(${rolesLock})::text as lock`
    for (const login of [owner, origin]) await setLogin(transaction, login)
    // Members may give away rights of the owner, also on tables that it makes later.
    await execute(transaction, 'grant %I to current_user', owner.user)

    await execute(transaction, 'revoke all on database %I from public', database)
    await execute(transaction, 'grant connect, temporary on database %I to %I', database, owner.user)
    await execute(transaction, 'grant connect on database %I to %I', database, origin.user)
    await execute(transaction, 'revoke create on schema %I from public', schema)
    await execute(transaction, 'grant usage, create on schema %I to %I', schema, owner.user)
    await execute(transaction, 'grant usage on schema %I to %I', schema, origin.user)

    for (const [objects, rights] of Object.entries(originRights)) {
      await execute(transaction, `grant ${rights} on all ${objects} in schema %I to %I`, schema, origin.user)
      await execute(
        transaction,
        `alter default privileges for role %I in schema %I grant ${rights} on ${objects} to %I`,
        ...[owner.user, schema, origin.user],
      )
    }
    if (isPooled) await setRoleSettings(transaction, origin.user)
  })
}

const originRights = {
  tables: 'select, insert, update, delete',
  sequences: 'usage, select',
  routines: 'execute',
}

async function setLogin(transaction: Transaction, { user, password }: Login): Promise<void> {
  const [role] = await transaction`select from pg_roles where rolname = ${user}`
  if (!role) await execute(transaction, 'create role %I', user)
  await execute(transaction, 'alter role %I login password %L', user, scramVerifier(password))
}
