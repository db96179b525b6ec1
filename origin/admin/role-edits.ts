import { adminLevel, superadminLevel } from '../../shared/auth/levels.ts'
import { ownPermissions } from '../../shared/auth/own-permissions.ts'
import {
  type Catalogue,
  findByName,
  type Permission,
  type Role,
  withoutName,
  withReplaced,
} from '../catalogue/catalogue.ts'
import { type CatalogueEdit, changedMembers, type EditConflict } from '../catalogue/edit.ts'
import { evaluatePermissionsChange, holdsAll, type PermissionsRejection, type Rights } from './rules.ts'

/** The level and permissions of the actor, as the database has them now. */
export type RoleActor = Rights

export type RoleEditRejection = PermissionsRejection | 'superadmin_only'

export type RoleEdit =
  | CatalogueEdit
  | EditConflict
  /** Indexes of the names that are no permissions. */
  | { kind: 'unknown_permissions'; positions: number[] }
  /** The role of new accounts would be one that administers the product. */
  | { kind: 'default_too_high' }
  | { kind: 'rejected'; reason: RoleEditRejection }

/** A change of the roles and permissions of a catalogue, by an actor. */
export type EvaluateRoleEdit = (catalogue: Catalogue, actor: RoleActor) => RoleEdit

const rejected = (reason: RoleEditRejection): RoleEdit => ({ kind: 'rejected', reason })

/** Only a superadmin makes a role one that administers the product, or the other way round. */
function levelRejection(actor: RoleActor, ...levels: readonly number[]): RoleEditRejection | undefined {
  if (levels.some((level) => level >= actor.level)) return 'role_at_or_above'
  if (levels.some((level) => level >= adminLevel) && actor.level < superadminLevel) return 'superadmin_only'
  return undefined
}

const unknownPositions = ({ permissions }: Catalogue, names: readonly string[]) =>
  names.flatMap((name, index) => (findByName(permissions, name) ? [] : [index]))

const inOrder = (names: readonly string[]) => [...new Set(names)].toSorted()

export const createRole =
  (role: Omit<Role, 'isDefault'>): EvaluateRoleEdit =>
  (catalogue, actor) => {
    const { name, level, description } = role
    const positions = unknownPositions(catalogue, role.permissions)
    if (positions.length > 0) return { kind: 'unknown_permissions', positions }
    const permissions = inOrder(role.permissions)
    const verdict = evaluatePermissionsChange(actor, role, permissions)
    if (verdict !== 'allowed') return rejected(verdict)
    const reason = levelRejection(actor, level)
    if (reason) return rejected(reason)
    if (findByName(catalogue.roles, name)) return { kind: 'name_taken' }
    const roles = [...catalogue.roles, { name, level, description, permissions, isDefault: false }]
    const details = { role: name, after: { level, description, permissions } }
    return { kind: 'edit', after: { ...catalogue, roles }, audit: { action: 'role.created', details } }
  }

export interface RoleChange {
  level?: number | undefined
  description?: string | undefined
  /** Whether new accounts get the role from now on. */
  isDefault?: true | undefined
}

export const changeRole =
  (name: string, change: RoleChange): EvaluateRoleEdit =>
  (catalogue, actor) => {
    const before = findByName(catalogue.roles, name)
    if (!before) return { kind: 'unknown_item' }
    const after: Role = {
      ...before,
      level: change.level ?? before.level,
      description: change.description ?? before.description,
      isDefault: change.isDefault ?? before.isDefault,
    }
    const becomesDefault = after.isDefault && !before.isDefault
    // Everybody can register: the permissions of the default role are granted to strangers.
    const verdict = evaluatePermissionsChange(actor, before, becomesDefault ? before.permissions : [])
    if (verdict !== 'allowed') return rejected(verdict)
    const former = becomesDefault ? catalogue.roles.find((role) => role.isDefault) : undefined
    if (former && former.level >= actor.level) return rejected('role_at_or_above')
    const reason = after.level === before.level ? undefined : levelRejection(actor, before.level, after.level)
    if (reason) return rejected(reason)
    if (after.isDefault && after.level >= adminLevel) return { kind: 'default_too_high' }
    const others = after.isDefault
      ? catalogue.roles.map((role) => (role.isDefault ? { ...role, isDefault: false } : role))
      : catalogue.roles
    const members = ({ level, description, isDefault }: Role) => ({
      level,
      description,
      is_default: isDefault,
    })
    const details = { role: name, ...changedMembers(members(before), members(after)) }
    return {
      kind: 'edit',
      after: { ...catalogue, roles: withReplaced(others, after) },
      audit: { action: 'role.changed', details },
    }
  }

export const setRolePermissions =
  (name: string, given: readonly string[]): EvaluateRoleEdit =>
  (catalogue, actor) => {
    const before = findByName(catalogue.roles, name)
    if (!before) return { kind: 'unknown_item' }
    const positions = unknownPositions(catalogue, given)
    if (positions.length > 0) return { kind: 'unknown_permissions', positions }
    const permissions = inOrder(given)
    const changed = [
      ...before.permissions.filter((permission) => !permissions.includes(permission)),
      ...permissions.filter((permission) => !before.permissions.includes(permission)),
    ]
    const verdict = evaluatePermissionsChange(actor, before, changed)
    if (verdict !== 'allowed') return rejected(verdict)
    const details = {
      role: name,
      before: { permissions: before.permissions },
      after: { permissions },
    }
    return {
      kind: 'edit',
      after: { ...catalogue, roles: withReplaced(catalogue.roles, { ...before, permissions }) },
      audit: { action: 'role.permissions_changed', details },
    }
  }

export const removeRole =
  (name: string): EvaluateRoleEdit =>
  (catalogue, actor) => {
    const role = findByName(catalogue.roles, name)
    if (!role) return { kind: 'unknown_item' }
    const reason = levelRejection(actor, role.level)
    if (reason) return rejected(reason)
    if (role.isDefault) return { kind: 'in_use', by: 'new_accounts' }
    const { level, description, permissions } = role
    const details = { role: name, before: { level, description, permissions } }
    return {
      kind: 'edit',
      after: { ...catalogue, roles: withoutName(catalogue.roles, name) },
      audit: { action: 'role.removed', details },
    }
  }

/** The roles of superadmins have every permission: nobody could grant one that they lack. */
export const createPermission =
  ({ name, description }: Permission): EvaluateRoleEdit =>
  (catalogue, actor) => {
    if (actor.level < superadminLevel) return rejected('superadmin_only')
    if (findByName(catalogue.permissions, name)) return { kind: 'name_taken' }
    const after: Catalogue = {
      ...catalogue,
      permissions: [...catalogue.permissions, { name, description }],
      roles: catalogue.roles.map((role) =>
        role.level === superadminLevel
          ? { ...role, permissions: [...role.permissions, name].toSorted() }
          : role,
      ),
    }
    const details = { permission: name, after: { description } }
    return { kind: 'edit', after, audit: { action: 'permission.created', details } }
  }

export const changePermission =
  ({ name, description }: Permission): EvaluateRoleEdit =>
  (catalogue, actor) => {
    const before = findByName(catalogue.permissions, name)
    if (!before) return { kind: 'unknown_item' }
    // A false description would make others grant the permission.
    if (!holdsAll(actor, [name])) return rejected('permission_not_held')
    const details = {
      permission: name,
      before: { description: before.description },
      after: { description },
    }
    return {
      kind: 'edit',
      after: { ...catalogue, permissions: withReplaced(catalogue.permissions, { name, description }) },
      audit: { action: 'permission.changed', details },
    }
  }

export const removePermission =
  (name: string): EvaluateRoleEdit =>
  (catalogue, actor) => {
    const permission = findByName(catalogue.permissions, name)
    if (!permission) return { kind: 'unknown_item' }
    if (actor.level < superadminLevel) return rejected('superadmin_only')
    if (ownPermissions.some((own) => own === name)) return { kind: 'in_use', by: 'own_routes' }
    const count = catalogue.roles.filter(
      ({ level, permissions }) => level < superadminLevel && permissions.includes(name),
    ).length
    if (count > 0) return { kind: 'in_use', by: 'roles', count }
    const after: Catalogue = {
      ...catalogue,
      permissions: withoutName(catalogue.permissions, name),
      roles: catalogue.roles.map((role) => ({
        ...role,
        permissions: role.permissions.filter((held) => held !== name),
      })),
    }
    const details = { permission: name, before: { description: permission.description } }
    return { kind: 'edit', after, audit: { action: 'permission.removed', details } }
  }
