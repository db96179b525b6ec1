import { SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { deviceCookie } from '../../shared/http/headers.ts'
import { setCookieOf } from '../../test/support/cookies.ts'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'

let fullStack: FullStack
let userId: string
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  for (const address of [email, 'eve@example.com'])
    await fullStack.post('/auth/register', { email: address, password })
  // Of one moment, so that no device is a stranger merely because the other account's password is
  // of another.
  await fullStack.sql`update user_accounts set password_changed_at = now()`
  const [account] = await fullStack.sql<[{ id: string }]>`select id from user_accounts where email = ${email}`
  userId = account.id
})
beforeEach(() => fullStack.sql`truncate login_counters, login_attempts, audit_logs, sessions cascade`)
afterAll(() => fullStack.close())

interface Try {
  device?: string | undefined
  attempt?: string
  address?: string
}

const login = ({ device, attempt = password, address = email }: Try = {}) =>
  fullStack.post(
    '/auth/login',
    { email: address, password: attempt },
    { headers: { ...(device !== undefined && { cookie: `${deviceCookie}=${device}` }) } },
  )

const statusOf = async (tried: Try) => (await login(tried)).status

/** Logs in on an unknown device, which becomes known. */
async function knownDevice(address = email): Promise<string> {
  const device = setCookieOf(await login({ address }), deviceCookie)?.value
  if (!device) throw new Error('no device cookie was set')
  return device
}

async function lockStrangersOut() {
  for (let tries = 0; tries < 5; tries++) expect(await statusOf({ attempt: 'wrong' })).toBe(401)
}

const counters = () =>
  fullStack.sql`select device_id, tries, locked_at is not null as locked from login_counters order by tries`

/** As the origin signs, but for what is said. */
function signed(payload: object, { key, typ }: { key?: Uint8Array; typ?: string } = {}): Promise<string> {
  return new SignJWT({ ...payload })
    .setProtectedHeader({ alg: 'HS256', typ: typ ?? 'gatehouse-device+jwt' })
    .sign(key ?? fullStack.originConfig.DEVICE_COOKIE_KEY)
}

const payloadOf = (device: string) =>
  JSON.parse(Buffer.from(device.split('.')[1] ?? '', 'base64url').toString())

describe('the device cookie', () => {
  test('is set at login, for 180 days, where no script and no other site gets it', async () => {
    expect(setCookieOf(await login(), deviceCookie)).toEqual({
      value: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      attributes: ['HttpOnly', 'Max-Age=15552000', 'Path=/', 'SameSite=Strict', 'Secure'],
    })
    expect(deviceCookie).toMatch(/^__Host-/)
  })

  test('is not set where the login is rejected', async () => {
    const answer = await login({ attempt: 'wrong' })
    expect(answer.headers.getSetCookie()).toEqual([])
  })

  test('names the same device at its next login', async () => {
    const device = await knownDevice()
    const next = setCookieOf(await login({ device }), deviceCookie)?.value ?? ''
    expect(payloadOf(next).jti).toBe(payloadOf(device).jti)
  })
})

describe('the device cookie of a browser that several people use', () => {
  const people = Array.from({ length: 6 }, (_, index) => `person${index}@example.com`)
  beforeAll(async () => {
    for (const address of people) await fullStack.post('/auth/register', { email: address, password })
  })

  /** One after the other on one browser. @returns its cookie after the last */
  async function signInOneByOne(addresses: string[], device?: string): Promise<string> {
    let cookie = device
    for (const address of addresses)
      cookie = setCookieOf(await login({ device: cookie, address }), deviceCookie)?.value
    if (!cookie) throw new Error('no device cookie was set')
    return cookie
  }

  const lockOut = async (address: string) => {
    for (let tries = 0; tries < 5; tries++) await login({ address, attempt: 'wrong' })
  }

  test('200: a user who logged in on it before stays known after another user has logged in', async () => {
    const device = await signInOneByOne([email, 'eve@example.com'])
    for (const address of [email, 'eve@example.com']) {
      await lockOut(address)
      expect(await statusOf({ address })).toBe(401)
      expect(await statusOf({ device, address })).toBe(200)
    }
  })

  test('names each of them the device that it was before', async () => {
    const alone = await knownDevice()
    const shared = await signInOneByOne(['eve@example.com', email], alone)
    expect(payloadOf(shared).jti).toBe(payloadOf(alone).jti)
  })

  test('401: the first user is forgotten after five others, in less than 2 KiB', async () => {
    const device = await signInOneByOne(people)
    expect(device.length).toBeLessThan(2048)
    for (const [address = '', status] of [
      [people[0], 401],
      [people[1], 200],
    ] as const) {
      await lockOut(address)
      expect(await statusOf({ device, address })).toBe(status)
    }
  })

  test('200: an earlier cookie, of one account, is read, and becomes one of several accounts', async () => {
    const { others: _, ...payload } = payloadOf(await knownDevice())
    const device = await signInOneByOne(['eve@example.com'], await signed(payload))
    await lockStrangersOut()
    expect(await statusOf({ device })).toBe(200)
  })

  test('401: the life of each starts with its own sign-in', async () => {
    const payload = payloadOf(await signInOneByOne([email, 'eve@example.com']))
    const [other] = payload.others
    const over = { ...other, exp: Math.floor(Date.now() / 1000) - 1 }
    await lockStrangersOut()
    expect(await statusOf({ device: await signed({ ...payload, others: [over] }) })).toBe(401)
    expect(await statusOf({ device: await signed(payload) })).toBe(200)
  })

  test('204: a password change on it keeps the others known', async () => {
    const device = await signInOneByOne([email, 'person0@example.com'])
    const tokens = await fullStack.login('person0@example.com', password)
    const newPassword = 'another horse battery'
    const changed = await fullStack.post(
      '/auth/password',
      { current_password: password, new_password: newPassword },
      { headers: { cookie: `${deviceCookie}=${device}`, ...bearer(tokens.access_token) } },
    )
    expect(changed.status).toBe(204)
    await lockStrangersOut()
    const afterwards = setCookieOf(changed, deviceCookie)?.value
    expect(await statusOf({ device: afterwards })).toBe(200)
  })
})

describe('while unknown devices are locked out', () => {
  // An attacker who guesses on purpose wants the owner locked out: he gets strangers locked out,
  // himself among them.
  test('200: the owner’s known device logs in, and its live session refreshes and reads', async () => {
    const signedIn = await login()
    const device = setCookieOf(signedIn, deviceCookie)?.value
    const tokens = (await signedIn.json()) as { access_token: string; refresh_token: string }
    await lockStrangersOut()
    expect(await statusOf({})).toBe(401)
    expect(await statusOf({ device })).toBe(200)
    const { access_token, refresh_token } = tokens
    expect((await fullStack.post('/auth/refresh', { refresh_token })).status).toBe(200)
    expect((await fullStack.call('/v1/me', { headers: bearer(access_token) })).status).toBe(200)
  })

  test('its login clears its own counter and not that of unknown devices', async () => {
    const device = await knownDevice()
    await lockStrangersOut()
    await login({ device, attempt: 'wrong' })
    expect(await counters()).toMatchObject([{ tries: 1 }, { tries: 5, locked: true }])
    expect(await statusOf({ device })).toBe(200)
    expect(await counters()).toMatchObject([{ device_id: expect.stringMatching(/^[0-]{36}$/), locked: true }])
    expect(await statusOf({})).toBe(401)
  })

  const unknownDevice: [string, (good: string) => Promise<string> | string][] = [
    ['of another account', () => knownDevice('eve@example.com')],
    ['with another account written into it', (good) => swapPayload(good, { sub: crypto.randomUUID() })],
    ['with another device written into it', (good) => swapPayload(good, { jti: crypto.randomUUID() })],
    ['with its signature cut off', (good) => `${good.slice(0, good.lastIndexOf('.'))}.`],
    ['that says it needs no signature', unsigned],
    ['under another key', (good) => signed(payloadOf(good), { key: new Uint8Array(32) })],
    [
      'that is past its life',
      (good) => signed({ ...payloadOf(good), exp: Math.floor(Date.now() / 1000) - 1 }),
    ],
    ['of another type', (good) => signed(payloadOf(good), { typ: 'at+jwt' })],
    ['without a device', (good) => signed({ ...payloadOf(good), jti: undefined })],
    [
      'that is an access token',
      async () => (await fullStack.login('eve@example.com', password)).access_token,
    ],
    ['that is nothing of the kind', () => 'x'],
    ['that is empty', () => ''],
  ]

  test.each(unknownDevice)('401: a device cookie %s is unknown', async (_, make) => {
    const good = await knownDevice()
    const device = await make(good)
    await lockStrangersOut()
    expect(await statusOf({ device })).toBe(401)
    expect(await statusOf({ device: good })).toBe(200)
  })

  function swapPayload(good: string, change: object): string {
    const [header, , signature] = good.split('.')
    const payload = Buffer.from(JSON.stringify({ ...payloadOf(good), ...change })).toString('base64url')
    return [header, payload, signature].join('.')
  }

  function unsigned(good: string): string {
    const header = Buffer.from('{"alg":"none","typ":"gatehouse-device+jwt"}').toString('base64url')
    return `${header}.${good.split('.')[1]}.`
  }

  test('the origin’s own signature over the same payload is accepted: the unknown ones above fail for their own reason', async () => {
    const device = await signed(payloadOf(await knownDevice()))
    await lockStrangersOut()
    expect(await statusOf({ device })).toBe(200)
  })
})

describe('a known device', () => {
  test('401: has five attempts of its own, which lock no other device, and no mail is sent', async () => {
    const mailsBefore = (await fullStack.mails(email)).length
    const device = await knownDevice()
    const other = await knownDevice()
    for (let tries = 0; tries < 5; tries++) await login({ device, attempt: 'wrong' })
    expect(await statusOf({ device })).toBe(401)
    expect(await counters()).toEqual([{ device_id: payloadOf(device).jti, tries: 5, locked: true }])
    expect(await statusOf({ device: other })).toBe(200)
    expect(await statusOf({})).toBe(200)
    expect(
      await fullStack.sql`select user_id, details ->> 'known_device' as known from audit_logs
      where action = 'account.locked'`,
    ).toEqual([{ user_id: userId, known: 'true' }])
    expect(await fullStack.mails(email)).toHaveLength(mailsBefore)
  })

  // A user who changes a stolen password expects the thief's device to be unknown at once.
  test('401: from before a password change is unknown, although both are of the same second', async () => {
    const device = await knownDevice()
    await fullStack.sql`update user_accounts set password_changed_at = password_changed_at + interval '1 microsecond'`
    await lockStrangersOut()
    expect(await statusOf({ device })).toBe(401)
  })

  test('200: outlives a restart of everything', async () => {
    const device = await knownDevice()
    await lockStrangersOut()
    const after = await createFullStack({ environment: highLimits, remains: fullStack.remains })
    try {
      const headers = { cookie: `${deviceCookie}=${device}` }
      expect((await after.post('/auth/login', { email, password }, { headers })).status).toBe(200)
    } finally {
      await after.close()
    }
  })
})
