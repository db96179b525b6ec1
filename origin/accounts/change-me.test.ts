import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
let token: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  token = (await fullStack.signUp('ada@example.com')).tokens.access_token
})
beforeEach(async () => {
  await fullStack.sql`
    update user_accounts set display_name = 'Ada', locale = 'en', time_zone = null, user_metadata = '{"theme": "dark"}'`
  await fullStack.sql`truncate audit_logs`
})
afterAll(() => fullStack.close())

async function change(body: unknown) {
  const response = await fullStack.call('/v1/me', {
    method: 'PATCH',
    headers: { 'content-type': 'application/json', ...bearer(token) },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}

const read = async () => (await fullStack.call('/v1/me', { headers: bearer(token) })).json()

describe('PATCH /v1/me', () => {
  test('200: changes what is given, in its one form, and answers with the profile as it is then read', async () => {
    const metadata = { theme: 'light', tags: [1, null, { ä: 'ß' }] }
    const { status, body } = await change({
      display_name: ' Ada Lovelace ',
      locale: 'de-at',
      time_zone: 'Europe/Vienna',
      metadata,
    })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      email: 'ada@example.com',
      display_name: 'Ada Lovelace',
      locale: 'de-AT',
      time_zone: 'Europe/Vienna',
      metadata,
      role: 'user',
    })
    expect(await read()).toEqual(body)
  })

  test('200: what is left out stays, null removes, and metadata is replaced as a whole', async () => {
    expect((await change({ display_name: null })).body).toMatchObject({
      display_name: null,
      locale: 'en',
      metadata: { theme: 'dark' },
    })
    expect((await change({ locale: null, metadata: { size: 2 } })).body).toMatchObject({
      locale: null,
      metadata: { size: 2 },
    })
  })

  test('200: an audit row names the fields and not their values; without a change there is none', async () => {
    expect((await change({})).status).toBe(200)
    expect(await fullStack.sql`select from audit_logs`).toHaveLength(0)
    await change({ display_name: 'Countess', metadata: { secret: 'x' } })
    const userId = decodeJwt(token).sub
    expect(await fullStack.sql`select action, actor_id, user_id, details from audit_logs`).toEqual([
      {
        action: 'account.profile_changed',
        actor_id: userId,
        user_id: userId,
        details: { fields: ['display_name', 'metadata'] },
      },
    ])
  })

  test('200: metadata of 8,192 characters; 422 validation_failed: one more', async () => {
    const metadata = { a: 'x'.repeat(8192 - '{"a":""}'.length) }
    expect((await change({ metadata })).status).toBe(200)
    expect((await change({ metadata: { a: `${metadata.a}x` } })).body).toMatchObject({
      code: 'validation_failed',
      errors: [{ pointer: '/metadata' }],
    })
  })

  test.each([
    ['a role', { role: 'admin' }, '/role'],
    ['a plan', { plan: 'pro' }, '/plan'],
    ['metadata of the product', { product_metadata: {} }, '/product_metadata'],
    ['an address', { email: 'eve@example.com' }, '/email'],
    ['an empty name', { display_name: ' ' }, '/display_name'],
    ['a name with a line break', { display_name: 'A\nB' }, '/display_name'],
    ['a language that is none', { locale: 'deutsch_AT' }, '/locale'],
    ['a time zone that is none', { time_zone: 'Mars/Olympus' }, '/time_zone'],
    ['an offset', { time_zone: '+01:00' }, '/time_zone'],
    ['a list for metadata', { metadata: [] }, '/metadata'],
    ['null for metadata', { metadata: null }, '/metadata'],
    ['metadata with NUL', { metadata: { a: '\0' } }, '/metadata'],
    ['metadata with half a surrogate pair', { metadata: { '\ud800': 1 } }, '/metadata'],
  ])('422 validation_failed: %s', async (_, body, pointer) => {
    const before = await read()
    expect(await change(body)).toMatchObject({ status: 422, body: { errors: [{ pointer }] } })
    expect(await read()).toEqual(before)
  })

  test('403 permission_required: a role that may only look', async () => {
    const guest = await fullStack.signUp('guest@example.com')
    await fullStack.sql`
      update user_accounts set role_id = (select id from roles where name = 'guest') where email = ${guest.email}`
    const { access_token } = await fullStack.login(guest.email, guest.password)
    const response = await fullStack.call('/v1/me', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', ...bearer(access_token) },
      body: '{}',
    })
    expect(response.status).toBe(403)
  })

  test('404 not_found: the account was disabled a moment ago', async () => {
    const bob = await fullStack.signUp('bob@example.com')
    await fullStack.sql`update user_accounts set status = 'disabled' where email = ${bob.email}`
    const response = await fullStack.call('/v1/me', {
      method: 'PATCH',
      headers: { 'content-type': 'application/json', ...bearer(bob.tokens.access_token) },
      body: JSON.stringify({ display_name: 'Bob' }),
    })
    expect(response.status).toBe(404)
  })
})
