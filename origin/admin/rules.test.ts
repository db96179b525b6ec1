import { describe, expect, test } from 'vitest'
import { evaluateAuthority, evaluatePermissionsChange, evaluateRoleChange } from './rules.ts'

const levels = { guest: 0, user: 10, subscriber: 50, admin: 90, superadmin: 100 }
type Role = keyof typeof levels
const roles = Object.keys(levels) as Role[]

/**
 * Targets that each role may act on, and roles that it may assign, written by hand. Pairs that are
 * not listed are rejected. A superadmin is above all others, and no rule lets anybody act on a
 * superadmin.
 */
const mayActOn: Record<Role, Role[]> = {
  guest: [],
  user: ['guest'],
  subscriber: ['guest', 'user'],
  admin: ['guest', 'user', 'subscriber'],
  superadmin: ['guest', 'user', 'subscriber', 'admin'],
}
const mayGive: Record<Role, Role[]> = {
  guest: [],
  user: ['guest', 'user'],
  subscriber: ['guest', 'user', 'subscriber'],
  admin: ['guest', 'user', 'subscriber'],
  superadmin: ['guest', 'user', 'subscriber', 'admin', 'superadmin'],
}

/** As in the catalogue of a new database: a role has the permissions of all below. */
const permissionsOf = (role: Role) => roles.filter((each) => levels[each] <= levels[role])
const given = (role: Role) => ({ level: levels[role], permissions: permissionsOf(role) })

const somebody = (role: Role) => ({ id: `a ${role}`, ...given(role) })
const another = (role: Role) => ({ id: `another ${role}`, level: levels[role] })

const cells = roles.flatMap((actor) =>
  roles.flatMap((target) => roles.map((role): [Role, Role, Role] => [actor, target, role])),
)

describe('a change of role: every actor, target and new role', () => {
  test.each(cells)('%s makes %s %s', (actor, target, role) => {
    const verdict = evaluateRoleChange(somebody(actor), another(target), given(role))
    const allowed = mayActOn[actor].includes(target) && mayGive[actor].includes(role)
    expect(verdict === 'allowed').toBe(allowed)
    if (!mayActOn[actor].includes(target)) expect(verdict).toBe('target_at_or_above')
    else if (levels[role] > levels[actor]) expect(verdict).toBe('role_above_own')
    else if (!allowed) expect(verdict).toBe('superadmin_only')
  })

  test.each(roles.flatMap((actor) => roles.map((role): [Role, Role] => [actor, role])))(
    '%s makes themselves %s: own_account',
    (actor, role) => {
      const self = somebody(actor)
      expect(evaluateRoleChange(self, self, given(role))).toBe('own_account')
    },
  )
})

describe('a role with a permission that the actor lacks', () => {
  const odd = { level: 20, permissions: ['user', 'system.manage'] }

  test('a lower role is rejected: permission_not_held', () => {
    expect(evaluateRoleChange(somebody('admin'), another('user'), odd)).toBe('permission_not_held')
  })

  test('a superadmin gives every role: allowed', () => {
    expect(evaluateRoleChange(somebody('superadmin'), another('user'), odd)).toBe('allowed')
  })

  test('its level is reported first: role_above_own', () => {
    const above = { ...odd, level: 91 }
    expect(evaluateRoleChange(somebody('admin'), another('user'), above)).toBe('role_above_own')
  })
})

describe('acting on an account: every actor and target', () => {
  test.each(roles.flatMap((actor) => roles.map((target): [Role, Role] => [actor, target])))(
    '%s acts on %s',
    (actor, target) => {
      const verdict = evaluateAuthority(somebody(actor), another(target))
      expect(verdict).toBe(mayActOn[actor].includes(target) ? 'allowed' : 'target_at_or_above')
    },
  )

  test.each(roles)('%s acts on themselves: own_account', (actor) => {
    expect(evaluateAuthority(somebody(actor), somebody(actor))).toBe('own_account')
  })
})

describe('a change of what a role may do', () => {
  const superadmin = { level: 100, permissions: ['roles.manage', 'users.read'] }

  test('a role below, permissions that one holds: allowed', () => {
    expect(evaluatePermissionsChange(superadmin, { level: 90 }, ['users.read'])).toBe('allowed')
  })

  test('one’s own role, or one above: role_at_or_above', () => {
    for (const level of [90, 100])
      expect(evaluatePermissionsChange({ ...superadmin, level: 90 }, { level }, [])).toBe('role_at_or_above')
  })

  test('a permission that one lacks: permission_not_held', () => {
    expect(evaluatePermissionsChange(superadmin, { level: 10 }, ['users.read', 'audit.read'])).toBe(
      'permission_not_held',
    )
  })
})
