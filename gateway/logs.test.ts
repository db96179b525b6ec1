import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, createFullStack, type FullStack } from '../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../test/support/gateway/gateway-harness.ts'
import { TransportError } from './ports.ts'

describe('on both sides of the proxy', () => {
  let fullStack: FullStack
  beforeAll(async () => {
    fullStack = await createFullStack()
  })
  afterAll(() => fullStack.close())

  test('a request has one id in the logs of gateway and origin', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com')
    const id = 'one-request-seen-twice'
    await fullStack.call('/v1/me', { headers: { ...bearer(tokens.access_token), 'x-request-id': id } })
    for (const lines of [fullStack.logs.gateway, fullStack.logs.origin]) {
      const [line] = lines.filter(({ request_id }) => request_id === id)
      expect(line).toMatchObject({ msg: 'request', method: 'GET', path: '/v1/me', status: 200 })
      expect(line?.duration_ms).toBeTypeOf('number')
    }
  })

  test('no log line contains a password, token or key', async () => {
    const password = 'correct horse battery'
    const { tokens } = await fullStack.signUp('grace@example.com', password)
    await fullStack.call('/v1/me?access_token=in-the-query', {
      headers: { ...bearer(tokens.access_token), cookie: 'session=in-the-cookie' },
    })
    await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    await fullStack.post('/auth/login', { email: 'grace@example.com', password: 'a wrong password' })
    const assertion = fullStack.forwarded.at(-1)?.headers.get('gatehouse-assertion') ?? ''
    const written = JSON.stringify(fullStack.logs)
    for (const secret of [
      password,
      'a wrong password',
      tokens.access_token,
      tokens.refresh_token,
      assertion,
      'in-the-query',
      'in-the-cookie',
    ]) {
      expect(secret.length).toBeGreaterThan(5)
      expect(written).not.toContain(secret)
    }
  })
})

describe('a rejection', () => {
  test('is logged with its code, and with a reason that the response omits', async () => {
    const harness = await createGatewayHarness()
    await harness.call('/closed', { headers: { ...bearer('x.y.z'), 'x-request-id': 'a-refused-one' } })
    expect(harness.lines).toContainEqual(
      expect.objectContaining({
        msg: 'request refused',
        request_id: 'a-refused-one',
        code: 'invalid_token',
        reason: expect.stringMatching(/\w/),
      }),
    )
  })

  // The signature may be good: an expired token was a person's, and its claims name the person.
  test('shows neither the token nor its claims', async () => {
    const harness = await createGatewayHarness()
    const email = 'somebody@example.com'
    const now = Math.floor(Date.now() / 1000)
    for (const claims of [
      { exp: now - 60 },
      { nbf: now + 60 },
      { iss: 'http://evil.example' },
      { aud: 'another' },
      { level: 'high' },
    ]) {
      const token = await harness.issuer.sign({ email, ...claims })
      expect((await harness.call('/closed', { headers: bearer(token) })).status).toBe(401)
      expect(JSON.stringify(harness.lines)).not.toContain(token.split('.')[2])
    }
    expect(harness.lines.filter(({ code }) => code === 'invalid_token')).toHaveLength(5)
    expect(JSON.stringify(harness.lines)).not.toContain(email)
  })

  test('of our own making is an error with its cause; the path has no query', async () => {
    const harness = await createGatewayHarness({
      upstream: () => {
        throw new TransportError('unreachable', new Error('connect ECONNREFUSED'))
      },
    })
    await harness.call('/open?token=secret-of-the-query')
    const line = harness.lines.find(({ msg }) => msg === 'request failed')
    expect(line).toMatchObject({
      level: 'error',
      code: 'upstream_unreachable',
      err: { message: 'connect ECONNREFUSED' },
    })
    expect(JSON.stringify(harness.lines)).not.toContain('secret-of-the-query')
  })
})

test('CR and LF in a header or a path do not make a second line', async () => {
  const harness = await createGatewayHarness()
  await harness.call('/nowhere/%0d%0a{"level":"error"}', { headers: { 'user-agent': 'x' } })
  expect(harness.lines.filter(({ msg }) => msg === 'request')).toHaveLength(1)
})
