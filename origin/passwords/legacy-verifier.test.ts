import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { createLegacyVerifier } from './legacy-verifier.ts'

const email = 'ada@example.com'
const password = 'as the old system has it'
const secret = Buffer.from('0123456789abcdefghijklmnopqrstuv')

type Answer = (response: ServerResponse) => void
const json =
  (body: unknown, status = 200) =>
  (response: ServerResponse) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

interface Asked {
  request: IncomingMessage
  body: string
}

let server: Server
let url: string
let asked: Asked[]
let answer: Answer
let fullStack: FullStack
/** An origin that was told of no verifier. */
let without: FullStack
beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = await text(request)
    asked.push({ request, body })
    answer(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/verify`
  fullStack = await createFullStack({
    environment: {
      ...highLimits,
      LEGACY_VERIFIER_URL: url,
      LEGACY_VERIFIER_SECRET: secret.toString('base64'),
      LEGACY_VERIFIER_SECONDS: '1',
    },
  })
  without = await createFullStack({ environment: highLimits, remains: fullStack.remains })
})
beforeEach(async () => {
  asked = []
  answer = (response) => {
    const { body } = asked.at(-1) ?? { body: '{}' }
    json({ valid: JSON.parse(body).password === password })(response)
  }
  await fullStack.sql`delete from user_accounts`
  await fullStack.sql`truncate login_counters, login_attempts`
  await fullStack.sql`
    with account as (
      insert into user_accounts (email, external_id, password_hash, role_id)
      values (${email}, 'old-1', 'verifier:', (select id from roles where name = 'user')) returning id
    )
    insert into user_subscriptions (user_id, plan_id)
    select account.id, plan.id from account join subscription_plans plan on plan.name = 'free'`
})
afterAll(async () => {
  await without.close()
  await fullStack.close()
  server.close()
})

const login = (attempt = password, stack = fullStack) =>
  stack.post('/auth/login', { email, password: attempt })

describe('POST /auth/login of an account whose hash could not be exported', () => {
  test('200: the former system verifies the password, by a signed request, once', async () => {
    expect((await login()).status).toBe(200)
    const [{ request, body }] = asked as [Asked]
    expect(request).toMatchObject({ method: 'POST', url: '/verify' })
    expect(JSON.parse(body)).toEqual({ email, external_id: 'old-1', password })
    const timestamp = String(request.headers['gatehouse-timestamp'])
    expect(Math.abs(Number(timestamp) - Date.now() / 1000)).toBeLessThan(60)
    const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')
    expect(request.headers['gatehouse-signature']).toBe(`v1=${signature}`)

    const [account] = await fullStack.sql`select password_hash from user_accounts`
    expect(account?.password_hash).toMatch(/^\$2b\$10\$/)
    expect((await login()).status).toBe(200)
    expect(asked).toHaveLength(1)
  })

  test('401 invalid_credentials: it says no; five times lock the account, and it is not asked again', async () => {
    for (let tries = 0; tries < 5; tries++)
      expect(await problem(await login('wrong'))).toMatchObject({ status: 401, code: 'invalid_credentials' })
    expect(asked).toHaveLength(5)
    expect((await login()).status).toBe(401)
    expect(asked).toHaveLength(5)
  })

  test.each<[string, Answer]>([
    ['answers 500', json({ valid: true }, 500)],
    ['answers 401', json({ valid: false }, 401)],
    ['redirects', (response) => response.writeHead(307, { location: url.replace('verify', 'other') }).end()],
    ['answers something else', json({ ok: true })],
    ['answers text', (response) => response.end('true')],
    [
      'answers without an end',
      (response) => {
        response.writeHead(200)
        const fill = () => {
          while (!response.destroyed && response.write('x'.repeat(1000)));
          response.once('drain', fill)
        }
        fill()
      },
    ],
    ['ends the connection', (response) => response.socket?.destroy()],
    ['never answers', () => {}],
  ])(
    '503 verifier_unavailable, with Retry-After: it %s; that is no attempt, and the password stays',
    async (_, failing) => {
      answer = failing
      for (let tries = 0; tries < 6; tries++) {
        const response = await login()
        expect(response.headers.get('retry-after')).toBe('5')
        expect(await problem(response)).toMatchObject({ status: 503, code: 'verifier_unavailable' })
        if (failing.length === 0) break
      }
      expect(asked.every(({ request }) => request.url === '/verify')).toBe(true)
      expect(await fullStack.sql`select from login_attempts`).toHaveLength(0)
      expect(await fullStack.sql`select password_hash from user_accounts`).toEqual([
        { password_hash: 'verifier:' },
      ])
    },
  )

  test('503 verifier_unavailable: an origin that has none', async () => {
    expect(await problem(await login(password, without))).toMatchObject({ code: 'verifier_unavailable' })
  })

  test('no log line has the password', async () => {
    answer = json({}, 500)
    await login()
    expect(JSON.stringify(fullStack.logs.origin)).not.toContain(password)
  })
})

test('503 overloaded: more requests at once than the former system is to get', async () => {
  const held: ServerResponse[] = []
  answer = (response) => held.push(response)
  const verifier = createLegacyVerifier({ url, secret, timeoutSeconds: 5, atOnce: 2 })
  const first = [1, 2].map(() => verifier(password, { email, externalId: null }))
  await expect(verifier(password, { email, externalId: null })).rejects.toMatchObject({ code: 'overloaded' })
  await expect.poll(() => held.length).toBe(2)
  for (const response of held) json({ valid: true })(response)
  expect(await Promise.all(first)).toEqual([true, true])
  answer = json({ valid: false })
  expect(await verifier(password, { email, externalId: null })).toBe(false)
})
