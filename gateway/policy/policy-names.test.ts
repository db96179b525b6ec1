import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import type { PolicyRow } from './policy.ts'
import { parsePolicyFile } from './policy-file.ts'
import { requireKnownNames, requireKnownNamesInFile } from './policy-names.ts'

const known = { permissions: ['dashboard.read', 'profile.read'], features: ['premium_dashboard'] }
const row: PolicyRow = { ...openRow, path: '/v1/orders', who: 'user', limits: ['user'] }

describe('a row with an unknown permission, plan or feature is rejected, with the nearest known name', () => {
  test.each<[string, Partial<PolicyRow>, string]>([
    [
      'all of permissions',
      { permissions: { all: ['profile.read', 'dashboard.raed'] } },
      'the permission dashboard.raed, which the origin does not have; the nearest is dashboard.read',
    ],
    [
      'any of permissions',
      { permissions: { any: ['profil.read', 'dashboard.read'] } },
      'the permission profil.read, which the origin does not have; the nearest is profile.read',
    ],
    [
      'a feature',
      { features: ['premium_dashbord'] },
      'the feature premium_dashbord, which the origin does not have; the nearest is premium_dashboard',
    ],
  ])('%s', (_, rights, reason) => {
    expect(() => requireKnownNames([row, { ...row, ...rights }], known)).toThrow(
      `The policy row GET /v1/orders asks for ${reason}`,
    )
  })

  test('every such row of a file, with its line', () => {
    const line = (path: string, permission: string) =>
      `  - { method: GET, path: ${path}, upstream: o, who: user, limits: [user], permissions: { all: [${permission}] } }\n`
    const text = `routes:\n${line('/a', 'users.raed')}${line('/b', 'dashboard.read')}${line('/c', 'x.y')}`
    expect(() => requireKnownNamesInFile('policy.yaml', parsePolicyFile(text, 'policy.yaml'), known)).toThrow(
      /^policy\.yaml:2: .+users\.raed.+\npolicy\.yaml:4: .+x\.y.+$/,
    )
  })

  test('not where all is known', () => {
    const rights = { permissions: { all: ['profile.read'] }, features: ['premium_dashboard'] }
    expect(() => requireKnownNames([row, { ...row, ...rights }], known)).not.toThrow()
  })
})

describe('the names are those of the database', () => {
  let fullStack: FullStack
  beforeAll(async () => {
    fullStack = await createFullStack({ policy: [{ ...row, permissions: { all: ['dashboard.raed'] } }] })
  })
  afterAll(() => fullStack.close())

  test('which the origin returns with its plans', () => {
    expect(() => fullStack.requireKnownNames()).toThrow('the nearest is dashboard.read')
  })

  test('and nothing is rejected while the origin, or one of an earlier version, has not reported them', async () => {
    const policy = [{ ...row, permissions: { all: ['dashboard.raed'] } }]
    const harness = await createGatewayHarness({ policy, plans: () => ({ plans: [] }) })
    expect(() => harness.requireKnownNames()).not.toThrow()
  })
})
