import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { catalogues } from '../../test/support/catalogue/catalogues.ts'
import { type Catalogue, findByName } from '../catalogue/catalogue.ts'
import * as edits from './role-edits.ts'

const name: fc.Arbitrary<string> = fc.constantFrom('alpha', 'beta', 'gamma', 'owner', 'new_one')
const permission: fc.Arbitrary<string> = fc.constantFrom(
  'aa.read',
  'orders.read',
  'orders.write',
  'profile.read',
  'users.manage',
  'new.read',
)
const level = fc.integer({ min: 0, max: 100 })
const permissions = fc.uniqueArray(permission, { maxLength: 4 })
const description = fc.constant('A description')

/** Any change that the API has. */
const anyEdit: fc.Arbitrary<edits.EvaluateRoleEdit> = fc.oneof(
  fc.record({ name, level, description, permissions }).map(edits.createRole),
  fc
    .tuple(name, fc.record({ level }, { requiredKeys: [] }))
    .map(([role, change]) => edits.changeRole(role, change)),
  name.map((role) => edits.changeRole(role, { isDefault: true })),
  fc.tuple(name, permissions).map(([role, given]) => edits.setRolePermissions(role, given)),
  name.map(edits.removeRole),
  fc.record({ name: permission, description }).map(edits.createPermission),
  fc.record({ name: permission, description: fc.constant('Another') }).map(edits.changePermission),
  permission.map(edits.removePermission),
)

/** An administrator below the highest level, whose role is one of no account here. */
const actor = fc.record({ level: fc.integer({ min: 0, max: 99 }), permissions })

const superadmin = (catalogue: Catalogue): edits.RoleActor => ({
  level: 100,
  permissions: catalogue.permissions.map((each) => each.name),
})

describe('whatever an administrator below the highest level changes', () => {
  test('no role at or above their own level is another afterwards, and none reaches it', () => {
    fc.assert(
      fc.property(catalogues, actor, anyEdit, (before, by, evaluate) => {
        const edit = evaluate(before, by)
        if (edit.kind !== 'edit') return
        const above = ({ roles }: Catalogue) => roles.filter((role) => role.level >= by.level)
        expect(above(edit.after)).toEqual(above(before))
      }),
      { numRuns: 2000 },
    )
  })

  test('no role gains a permission that they lack, and no permission comes or goes', () => {
    fc.assert(
      fc.property(catalogues, actor, anyEdit, (before, by, evaluate) => {
        const edit = evaluate(before, by)
        if (edit.kind !== 'edit') return
        for (const role of edit.after.roles) {
          const had = findByName(before.roles, role.name)?.permissions ?? []
          const gained = role.permissions.filter((each) => !had.includes(each))
          expect(gained.filter((each) => !by.permissions.includes(each))).toEqual([])
        }
        const names = ({ permissions }: Catalogue) => permissions.map((each) => each.name)
        expect(names(edit.after)).toEqual(names(before))
      }),
      { numRuns: 2000 },
    )
  })

  test('new accounts gain no permission that they lack, and no such permission is described anew', () => {
    fc.assert(
      fc.property(catalogues, actor, anyEdit, (before, by, evaluate) => {
        const edit = evaluate(before, by)
        if (edit.kind !== 'edit') return
        const ofNewAccounts = ({ roles }: Catalogue) =>
          roles.find((role) => role.isDefault)?.permissions ?? []
        const gained = ofNewAccounts(edit.after).filter((each) => !ofNewAccounts(before).includes(each))
        expect(gained.filter((each) => !by.permissions.includes(each))).toEqual([])
        const lacked = ({ permissions }: Catalogue) =>
          permissions.filter((each) => !by.permissions.includes(each.name))
        expect(lacked(edit.after)).toEqual(lacked(before))
      }),
      { numRuns: 2000 },
    )
  })

  test('no role becomes one that administers the product, nor stops being one, but by removal', () => {
    fc.assert(
      fc.property(catalogues, actor, anyEdit, (before, by, evaluate) => {
        const edit = evaluate(before, by)
        if (edit.kind !== 'edit') return
        const admins = edit.after.roles.filter((role) => role.level >= 90).map((role) => role.name)
        const former = before.roles.filter((role) => role.level >= 90).map((role) => role.name)
        expect(admins).toEqual(former)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('whatever a superadmin changes', () => {
  test('somebody can still administer everything, and one role is that of new accounts', () => {
    fc.assert(
      fc.property(catalogues, anyEdit, (before, evaluate) => {
        const edit = evaluate(before, superadmin(before))
        if (edit.kind !== 'edit') return
        const { roles, permissions: known } = edit.after
        expect(roles.some((role) => role.level === 100 && role.permissions.length === known.length)).toBe(
          true,
        )
        const defaults = roles.filter((role) => role.isDefault)
        expect(defaults).toHaveLength(1)
        expect(defaults[0]?.level).toBeLessThan(90)
      }),
      { numRuns: 2000 },
    )
  })
})
