import { once } from 'node:events'
import { type IncomingMessage, type RequestListener, request, type ServerResponse } from 'node:http'
import { json, text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { createRateLimitStore } from '../../gateway/adapters/node/rate-limit-store.ts'
import { createRedisStore } from '../../gateway/adapters/redis.ts'
import type { PolicyRow } from '../../gateway/policy/policy.ts'
import { connectRedisServer } from '../../shared/node/redis.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { redisForFile } from '../../tools/servers/redis/test-redis.ts'
import { createCapturedLog } from '../support/captured-log.ts'
import { createFullStack, problem } from '../support/full-stack/full-stack.ts'
import { postRow } from '../support/gateway/gateway-harness.ts'
import { ask, closeSockets, openSocket, startGatewayWithUpstream } from '../support/gateway/sockets.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  await closeSockets()
  for (const close of closers.splice(0).reverse()) await close()
})

/**
 * The counter in Redis without its fallback: a slow moment of this machine must not move a count.
 */
async function startCounter() {
  const redis = connectRedisServer(await redisForFile(), createCapturedLog('gateway').log)
  closers.push(() => redis.disconnect())
  await once(redis, 'ready')
  return createRedisStore(redis, 'test:')
}

/** Gateway and origin, the tries counted in Redis. */
async function startFullStack({ environment, ...options }: Parameters<typeof createFullStack>[0] = {}) {
  const fullStack = await createFullStack({
    rateLimitStore: await startCounter(),
    environment: { LIMIT_FAILURES: '5', ...environment },
    ...options,
  })
  closers.push(fullStack.close)
  const login = (email: string, password: string, address = '203.0.113.7') =>
    fullStack.post('/auth/login', { email, password }, { address })
  return { ...fullStack, login }
}

let strangers = 0
const stranger = () => `nobody${strangers++}@example.com`

test('429 rate_limited: an address over its failed logins is rejected on an unknown device, for any account', async () => {
  const { signUp, login, forwarded } = await startFullStack()
  const { email, password } = await signUp('ada@example.com')
  for (let i = 0; i < 5; i++) expect((await login(stranger(), 'wrong horse')).status).toBe(401)
  const before = forwarded.length
  const refused = await login(email, password)
  expect(await problem(refused)).toMatchObject({
    status: 429,
    code: 'rate_limited',
    'violated-policies': ['credentials'],
  })
  expect(forwarded).toHaveLength(before)
  expect((await login(email, password, '203.0.113.8')).status).toBe(200)
})

test('200: a successful login uses up no attempt', async () => {
  const { signUp, login } = await startFullStack()
  const { email, password } = await signUp('ada@example.com')
  for (let i = 0; i < 4; i++) expect((await login(stranger(), 'wrong horse')).status).toBe(401)
  for (let i = 0; i < 3; i++) expect((await login(email, password)).status).toBe(200)
  expect((await login(stranger(), 'wrong horse')).status).toBe(401)
  expect((await login(email, password)).status).toBe(429)
})

test('200: the refresh limit counts failures only, separately from failed logins', async () => {
  const { signUp, post, login } = await startFullStack()
  let { tokens } = await signUp('ada@example.com')
  for (let i = 0; i < 5; i++) await login(stranger(), 'wrong horse')
  for (let i = 0; i < 7; i++) {
    const answer = await post('/auth/refresh', { refresh_token: tokens.refresh_token })
    expect(answer.status).toBe(200)
    tokens = (await answer.json()) as typeof tokens
  }
})

// An outage of Redis must not grant attempts.
test('429: with Redis lost during a window, a gateway allows three failed attempts and no more', async () => {
  const redis = await startPrivateRedis()
  closers.push(redis.stop)
  const { log } = createCapturedLog('gateway')
  const counting = createRateLimitStore({
    redisUrl: redis.url,
    keyPrefix: 'test:',
    replicas: 1,
    now: Date.now,
    log,
  })
  closers.push(counting.close)
  // A first look before the connection is up opens the breaker, which looks again after a second.
  await expect.poll(async () => (await counting.health()).status, { timeout: 5000 }).toBe('pass')
  const { login } = await startFullStack({ rateLimitStore: counting.rateLimitStore })
  await redis.kill()
  const statuses: number[] = []
  for (let i = 0; i < 5; i++) statuses.push((await login(stranger(), 'wrong horse')).status)
  expect(statuses).toEqual([401, 401, 401, 429, 429])
})

const trial: PolicyRow = { ...postRow, limits: ['credentials'] }

/** An upstream that judges a try when it is told to. */
async function startTrials(listener: RequestListener) {
  return startGatewayWithUpstream(listener, {
    policy: [trial],
    rateLimitStore: await startCounter(),
    environment: { LIMIT_FAILURES: '5' },
  })
}

const attempt = { method: 'POST', body: 'guess' }

test('of 50 concurrent attempts five reach the upstream, and none after they have failed', async () => {
  let tried = 0
  const { port } = await startTrials((incoming, response) => {
    tried++
    incoming.resume()
    response.writeHead(401).end()
  })
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(port, attempt)))
  const statuses = answers.map(({ statusCode }) => statusCode)
  expect(statuses.filter((status) => status === 401)).toHaveLength(5)
  // Each of the five might have succeeded until it failed.
  expect(statuses.filter((status) => status === 503 || status === 429)).toHaveLength(45)
  expect((await ask(port, attempt)).statusCode).toBe(429)
  expect(tried).toBe(5)
})

// Else who hangs up before the answer, and reads it from the time it took or from a side effect,
// could try for ever.
test('429: an attempt whose client left is not refunded', async () => {
  const held: ServerResponse[] = []
  const { port } = await startTrials((_incoming: IncomingMessage, response: ServerResponse) => {
    held.push(response)
  })
  for (let i = 1; i <= 5; i++) {
    const socket = await openSocket(port)
    socket.write('POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nguess')
    await expect.poll(() => held.length).toBe(i)
    socket.destroy()
  }
  await expect.poll(() => held.every(({ closed }) => closed)).toBe(true)
  const refused = await ask(port, attempt)
  expect(refused.statusCode).toBe(429)
  expect(await json(refused)).toMatchObject({ 'violated-policies': ['credentials'] })
})

// A client that sends the head of an attempt and no body would otherwise have it refunded by the
// timeout, login included.
test('429: nor is one whose body never arrived', async () => {
  const { port } = await startTrials((_incoming, response) => void response.end())
  for (let i = 0; i < 5; i++) {
    const asked = request({ port, host: '127.0.0.1', method: 'POST', path: '/open', agent: false })
    asked.on('error', () => {})
    asked.setHeader('content-length', 10)
    asked.flushHeaders()
    await new Promise((resolve) => setTimeout(resolve, 30))
    asked.destroy()
  }
  await expect.poll(async () => (await ask(port, attempt)).statusCode).toBe(429)
})

test('503 and 502 are internal failures: they consume no attempt', async () => {
  let status = 503
  const { port } = await startTrials((incoming, response) => {
    incoming.resume()
    response.writeHead(status).end()
  })
  for (let i = 0; i < 10; i++) {
    status = i % 2 ? 502 : 503
    const answer = await ask(port, attempt)
    await text(answer)
    expect(answer.statusCode).toBe(status)
  }
})
