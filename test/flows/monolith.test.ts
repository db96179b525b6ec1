import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { refreshCookie } from '../../shared/http/headers.ts'
import { createTestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { setCookieOf } from '../support/cookies.ts'
import { documentedCommands } from '../support/documented-commands.ts'
import { bearer, problem } from '../support/full-stack/full-stack.ts'
import { createShopClient } from '../support/full-stack/shop-client.ts'

/** The migration of docs/migration.md, step by step, by the commands of that page. */

const secret = 'the secret of a shop that has at least 32 bytes'
const password = 'an old password'
const users = ['ada', 'bob', 'eve'] as const

const endings: (() => Promise<unknown>)[] = []
let shop: string
let gateway: string
let stopShop: () => Promise<void>
let stopGatehouse: () => Promise<void>
let commands: ReturnType<typeof documentedCommands>
let shopVariables: Record<string, string>
let gatehouseVariables: Record<string, string>

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-monolith-'))
  endings.push(() => rm(folder, { recursive: true }))
  commands = documentedCommands('docs/migration.md', folder)
  const [shopDatabase, database] = [await createTestDatabase(), await createTestDatabase()]
  const redis = await startPrivateRedis()
  endings.push(
    () => shopDatabase.drop(),
    () => database.drop(),
    () => redis.stop(),
  )
  const ports = [await findFreePort(), await findFreePort(), await findFreePort()].map(String)
  const [shopPort = '', gatewayPort = '', originPort = ''] = ports
  const metricsPorts = [await findFreePort(), await findFreePort()].map(String)
  shop = `http://127.0.0.1:${shopPort}`
  gateway = `http://127.0.0.1:${gatewayPort}`
  shopVariables = {
    MONOLITH_DATABASE_URL: shopDatabase.url,
    MONOLITH_JWT_SECRET: secret,
    MONOLITH_PORT: shopPort,
  }
  gatehouseVariables = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    GATEWAY_PORT: gatewayPort,
    ORIGIN_PORT: originPort,
    GATEWAY_METRICS_PORT: metricsPorts[0] ?? '',
    ORIGIN_METRICS_PORT: metricsPorts[1] ?? '',
    PASSWORD_HASH_COST: '10',
    LOG_LEVEL: 'error',
  }
  const issuer = 'https://shop.example.com'
  await writeFile(
    join(folder, '.env'),
    [
      'POLICY_FILE=policy.yaml',
      `UPSTREAMS={"monolith":"${shop}"}`,
      `LEGACY_ISSUERS=[{"issuer":"${issuer}","algorithm":"HS256","ends_at":"2999-01-01T00:00:00Z"}]`,
      `LEGACY_ISSUER_SECRETS={"${issuer}":"${secret}"}`,
    ].join('\n'),
  )
})
afterAll(async () => {
  for (const end of endings.reverse()) await end()
})

async function untilLive(url: string): Promise<void> {
  await expect
    .poll(
      () =>
        fetch(`${url}/live`).then(
          ({ status }) => status,
          () => 0,
        ),
      { timeout: 30_000 },
    )
    .toBe(200)
}

/** The shop without Gatehouse at first, then with what it needs to know of it. */
async function startShop(command: string, more: Record<string, string> = {}): Promise<void> {
  const stop = commands.start(command, { ...shopVariables, ...more })
  stopShop = stop
  endings.push(stop)
  await untilLive(shop)
}

const post = (url: string, body: object, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })

const orders = (base: string, token: string) => fetch(`${base}/api/orders`, { headers: bearer(token) })
const order = (base: string, token: string, item: string) =>
  post(`${base}/api/orders`, { item }, bearer(token))

async function ordersOf(base: string, token: string): Promise<string[]> {
  const response = await orders(base, token)
  const body = (await response.json()) as { orders: string[] }
  expect({ status: response.status, body }).toMatchObject({ status: 200 })
  return body.orders
}

/** Old tokens by user. They are never used up in the shop, and nobody logs in again below. */
const oldTokens = new Map<string, string>()
const oldToken = (name: string) => oldTokens.get(name) ?? ''
/** Access tokens of those who have exchanged or logged in. */
const newTokens = new Map<string, string>()
const newToken = (name: string) => newTokens.get(name) ?? ''
/** A browser of Dan that is open all the time. It never logs in, and each step must serve it. */
let dan: ReturnType<typeof createShopClient>

async function loginAtShop(base: string, name: string): Promise<string> {
  const response = await post(`${base}/login`, { email: `${name}@example.com`, password })
  expect(response.status).toBe(200)
  return ((await response.json()) as { token: string }).token
}

/** Resolves when the gateway decides by a policy file that was put in its place. */
const untilProtected = (method: 'GET' | 'POST', isProtected: boolean) =>
  expect
    .poll(
      async () => {
        const response = await fetch(`${gateway}/api/orders`, { method, headers: bearer(oldToken('ada')) })
        return response.status === 401 && (await problem(response)).code === 'legacy_token'
      },
      { timeout: 10_000, interval: 50 },
    )
    .toBe(isProtected)

describe('a monolith moves behind the gateway route by route', { timeout: 60_000, retry: 0 }, () => {
  test('0: before, its users are signed in with tokens of its own', async () => {
    await startShop('node examples/monolith/server.js')
    for (const name of users) {
      expect((await post(`${shop}/register`, { email: `${name}@example.com`, password })).status).toBe(201)
      oldTokens.set(name, await loginAtShop(shop, name))
      expect((await order(shop, oldToken(name), `${name} 1`)).status).toBe(201)
    }
    expect((await post(`${shop}/register`, { email: 'dan@example.com', password })).status).toBe(201)
    dan = createShopClient(await loginAtShop(shop, 'dan'))
    expect(await dan.orders(shop)).toEqual([])
  })

  test('1: the gateway in front passes every route on as it is', async () => {
    await commands.run('cp examples/monolith/policy/1-in-front.yaml policy.yaml')
    stopGatehouse = commands.start('npm start', gatehouseVariables)
    endings.push(() => stopGatehouse())
    await untilLive(gateway)
    for (const name of users) expect(await ordersOf(gateway, oldToken(name))).toEqual([`${name} 1`])
    await loginAtShop(gateway, 'ada')
    expect((await orders(gateway, 'x.y.z')).status).toBe(401)
    expect(await dan.orders(gateway)).toEqual([])
  })

  test('2: the users are imported with their passwords and their numbers', async () => {
    await commands.run('node examples/monolith/export.js > users.ndjson', shopVariables)
    const imported = await commands.run('npm run accounts -- import users.ndjson', {
      PASSWORD_HASH_COST: '10',
    })
    expect(imported).toMatch(/^4 created, 0 updated, 0 unchanged, 0 rejected in /)
  })

  test('3: the shop learns to accept the word of the gateway', async () => {
    const created = await commands.run('npm run --silent clients -- create monolith --scope users.metadata')
    await stopShop()
    await startShop('node --env-file=.gatehouse/env examples/monolith/server.js', {
      ISSUER_URL: gateway,
      ORIGIN_URL: `http://127.0.0.1:${gatehouseVariables.ORIGIN_PORT}`,
      MONOLITH_CLIENT_SECRET: /^client_secret: (.+)$/m.exec(created)?.[1] ?? '',
    })
    for (const name of users) expect(await ordersOf(gateway, oldToken(name))).toEqual([`${name} 1`])
  })

  test('4: the first route is protected; an old token is exchanged once, an old password logs in', async () => {
    await commands.run('cp examples/monolith/policy/2-first-route.yaml policy.yaml')
    await untilProtected('GET', true)
    const refused = await orders(gateway, oldToken('ada'))
    expect(await problem(refused)).toMatchObject({ status: 401, code: 'legacy_token' })

    const exchanged = await post(`${gateway}/auth/exchange`, { legacy_token: oldToken('ada') })
    expect(exchanged.status).toBe(200)
    newTokens.set('ada', ((await exchanged.json()) as TokenResponse).access_token)
    const again = await post(`${gateway}/auth/exchange`, { legacy_token: oldToken('ada') })
    expect(await problem(again)).toMatchObject({ status: 401, code: 'legacy_token_spent' })

    const body = { legacy_token: oldToken('eve'), token_delivery: 'cookie' }
    const inCookie = await post(`${gateway}/auth/exchange`, body, { origin: gateway })
    expect(inCookie.status).toBe(200)
    const cookie = `${refreshCookie}=${setCookieOf(inCookie, refreshCookie)?.value}`
    const refreshed = await post(`${gateway}/auth/refresh`, {}, { origin: gateway, cookie })
    newTokens.set('eve', ((await refreshed.json()) as { access_token: string }).access_token)

    const login = await post(`${gateway}/auth/login`, { email: 'bob@example.com', password })
    expect(login.status).toBe(200)
    newTokens.set('bob', ((await login.json()) as TokenResponse).access_token)

    for (const name of users) {
      // One route is protected and one is not: both are good with the new token.
      expect((await order(gateway, newToken(name), `${name} 2`)).status).toBe(201)
      expect(await ordersOf(gateway, newToken(name))).toEqual([`${name} 1`, `${name} 2`])
    }
    expect(await dan.orders(gateway)).toEqual([])
    expect(dan.exchanges()).toBe(1)
  })

  test('4: a new user registers at Gatehouse, and the shop serves them', async () => {
    const account = { email: 'new@example.com', password: 'correct horse battery' }
    expect((await post(`${gateway}/auth/register`, account)).status).toBe(202)
    const login = await post(`${gateway}/auth/login`, account)
    newTokens.set('new', ((await login.json()) as TokenResponse).access_token)
    expect(await ordersOf(gateway, newToken('new'))).toEqual([])
    expect((await order(gateway, newToken('new'), 'new 1')).status).toBe(201)
  })

  test('5: all routes are protected; a second device exchanges its own token', async () => {
    const second = await loginAtShop(gateway, 'ada')
    await commands.run('cp examples/monolith/policy/3-all-routes.yaml policy.yaml')
    await untilProtected('POST', true)
    expect((await post(`${gateway}/login`, { email: 'ada@example.com', password })).status).toBe(404)
    const exchanged = await post(`${gateway}/auth/exchange`, { legacy_token: second })
    const { access_token } = (await exchanged.json()) as TokenResponse
    expect((await order(gateway, access_token, 'ada 3')).status).toBe(201)
    expect(await ordersOf(gateway, newToken('ada'))).toEqual(['ada 1', 'ada 2', 'ada 3'])
    expect(await ordersOf(gateway, newToken('new'))).toEqual(['new 1'])
    expect(await dan.orders(gateway)).toEqual([])
    // The service takes a user from the gateway's assertion alone.
    const forged = await fetch(`${shop}/api/orders`, { headers: { 'gatehouse-assertion': newToken('ada') } })
    expect(forged.status).toBe(401)
  })

  test('the way back: no route is protected, and old and new tokens are good', async () => {
    await commands.run('cp examples/monolith/policy/1-in-front.yaml policy.yaml')
    await untilProtected('GET', false)
    for (const name of users) {
      const expected = await ordersOf(gateway, oldToken(name))
      expect(expected).toContain(`${name} 2`)
      expect(await ordersOf(gateway, newToken(name))).toEqual(expected)
    }
    expect(await ordersOf(gateway, newToken('new'))).toEqual(['new 1'])
    expect(await dan.orders(gateway)).toEqual([])
    expect(dan.exchanges()).toBe(1)
  })

  test('the way back: without Gatehouse old tokens and passwords are good', async () => {
    await stopGatehouse()
    for (const name of users) {
      expect(await ordersOf(shop, oldToken(name))).toContain(`${name} 2`)
      await loginAtShop(shop, name)
    }
    dan.goBack()
    expect(await dan.orders(shop)).toEqual([])
  })
})
