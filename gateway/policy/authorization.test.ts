import { describe, expect, test } from 'vitest'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { closedRow, createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'

const plans = {
  plans: [
    { name: 'free', rank: 0, features: [] },
    { name: 'pro', rank: 2, features: ['webhooks'] },
    { name: 'enterprise', rank: 4, features: ['webhooks', 'single_sign_on'] },
    { name: 'business', rank: 3, features: ['webhooks', 'single_sign_on'] },
  ],
}

const harness = await createGatewayHarness({
  plans: () => plans,
  environment: { UPGRADE_URL: 'https://app.example.com/upgrade?from=api#plans' },
  policy: [
    { ...closedRow, path: '/all', permissions: { all: ['users.read', 'users.manage'] } },
    { ...closedRow, path: '/any', permissions: { any: ['audit.read', 'system.manage'] } },
    { ...closedRow, path: '/level', level: 90 },
    { ...closedRow, path: '/features', features: ['webhooks', 'single_sign_on'] },
    { ...closedRow, path: '/nowhere', features: ['webhooks', 'teleport'] },
    {
      ...closedRow,
      path: '/everything',
      permissions: { all: ['users.read'] },
      level: 50,
      features: ['webhooks'],
    },
  ],
})

async function call(path: string, claims: Record<string, unknown>) {
  const answer = await harness.call(path, { headers: bearer(await harness.issuer.sign(claims)) })
  return {
    status: answer.status,
    challenge: answer.headers.get('www-authenticate'),
    body: answer.ok ? {} : await problem(answer),
  }
}

const insufficientScope = 'Bearer error="insufficient_scope"'

describe('permissions', () => {
  test('403 permission_required: one of all is missing', async () => {
    expect(await call('/all', { permissions: ['users.read'] })).toMatchObject({
      status: 403,
      challenge: insufficientScope,
      body: { code: 'permission_required', required_permissions: { all: ['users.read', 'users.manage'] } },
    })
  })

  test('403 permission_required: none of any is there', async () => {
    expect(await call('/any', { permissions: ['users.read'] })).toMatchObject({
      status: 403,
      challenge: insufficientScope,
      body: { code: 'permission_required', required_permissions: { any: ['audit.read', 'system.manage'] } },
    })
  })

  // A permission is a name, not a prefix or a pattern.
  test('403 permission_required: a permission that only begins alike, or a wildcard', async () => {
    for (const permission of ['users', 'users.*', '*', 'users.read.all', 'USERS.READ'])
      expect((await call('/all', { permissions: [permission, 'users.manage'] })).status).toBe(403)
  })

  test('200: all of all, one of any', async () => {
    expect((await call('/all', { permissions: ['users.manage', 'x', 'users.read'] })).status).toBe(200)
    expect((await call('/any', { permissions: ['system.manage'] })).status).toBe(200)
  })
})

describe('level', () => {
  test('403 level_required: one below', async () => {
    expect(await call('/level', { level: 89 })).toMatchObject({
      status: 403,
      challenge: insufficientScope,
      body: { code: 'level_required', required_level: 90 },
    })
  })

  test('200: the level itself', async () => {
    expect((await call('/level', { level: 90 })).status).toBe(200)
  })
})

describe('features', () => {
  test('403 feature_required: names the first that the plan lacks, and the plan', async () => {
    expect(await call('/features', { features: ['webhooks'], plan: 'pro' })).toMatchObject({
      status: 403,
      challenge: insufficientScope,
      body: { code: 'feature_required', required_feature: 'single_sign_on', current_plan: 'pro' },
    })
  })

  test('403 feature_required: names the cheapest plan that has all of them, and where to book it', async () => {
    expect((await call('/features', { features: [], plan: 'free' })).body).toMatchObject({
      required_feature: 'webhooks',
      current_plan: 'free',
      minimum_plan: 'business',
      upgrade_url: 'https://app.example.com/upgrade?from=api&plan=business#plans',
    })
  })

  test('403 feature_required: minimum_plan is null where no plan has all of them', async () => {
    expect((await call('/nowhere', { features: ['webhooks'] })).body).toMatchObject({
      required_feature: 'teleport',
      minimum_plan: null,
      upgrade_url: 'https://app.example.com/upgrade?from=api#plans',
    })
  })

  test('403 feature_required: without a catalogue it lacks minimum_plan alone', async () => {
    const unknowing = await createGatewayHarness({
      policy: [{ ...closedRow, features: ['webhooks'] }],
      plans() {
        throw new Error('down')
      },
    })
    const answer = await unknowing.call('/closed', { headers: bearer(await unknowing.issuer.sign()) })
    const { type, title, request_id, ...body } = await problem(answer)
    expect(body).toEqual({
      status: 403,
      code: 'feature_required',
      required_feature: 'webhooks',
      current_plan: 'free',
      upgrade_url: 'http://127.0.0.1:3000/upgrade',
    })
  })

  test('200: all of them', async () => {
    expect((await call('/features', { features: ['single_sign_on', 'webhooks'] })).status).toBe(200)
  })
})

test('403: all conditions of a row must hold, and no role is exempt', async () => {
  const right = { permissions: ['users.read'], level: 50, features: ['webhooks'] }
  expect((await call('/everything', right)).status).toBe(200)
  for (const lack of [{ permissions: [] }, { level: 49 }, { features: [] }])
    expect((await call('/everything', { role: 'superadmin', ...right, ...lack })).status).toBe(403)
})

test('403: what is rejected never reaches the upstream', async () => {
  const before = harness.forwarded.length
  await call('/level', { level: 0 })
  expect(harness.forwarded).toHaveLength(before)
})
