import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { catalogues } from '../../test/support/catalogue/catalogues.ts'
import { type Catalogue, findByName } from './catalogue.ts'
import { compareCatalogues, isEmptyChange } from './compare.ts'

/** Claims of a token that follow from a role, and those that follow from a plan. */
const roleClaims = ({ roles }: Catalogue, name: string) => {
  const role = findByName(roles, name)
  return role && JSON.stringify([role.level, role.permissions])
}
const planClaims = ({ plans }: Catalogue, name: string) => {
  const plan = findByName(plans, name)
  return plan && JSON.stringify([plan.apiQuotaPerHour, plan.features])
}

describe('two catalogues', () => {
  test('a catalogue compared with itself has no change', () => {
    fc.assert(
      fc.property(catalogues, (catalogue) => {
        const change = compareCatalogues(catalogue, catalogue)
        expect(isEmptyChange(change)).toBe(true)
        expect(change.stale).toEqual({ roles: [], plans: [] })
      }),
    )
  })

  test('roles and plans are stale exactly where the claims of their tokens change', () => {
    fc.assert(
      fc.property(catalogues, catalogues, (before, after) => {
        const { stale } = compareCatalogues(before, after)
        const roles = before.roles
          .map(({ name }) => name)
          .filter((name) => roleClaims(before, name) !== roleClaims(after, name))
        expect(stale.roles.toSorted()).toEqual(roles.toSorted())
        const first = before.plans[0]?.name
        const plans = before.plans
          .map(({ name }) => name)
          .filter(
            (name) =>
              planClaims(before, name) !== planClaims(after, name) ||
              // Accounts without a subscription have another plan now.
              (name === first && after.plans[0]?.name !== first),
          )
        expect(stale.plans.toSorted()).toEqual(plans.toSorted())
      }),
      { numRuns: 300 },
    )
  })
})
