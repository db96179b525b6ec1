import { describe, expect, test } from 'vitest'
import { bearer } from '../../test/support/full-stack/full-stack.ts'
import {
  closedRow,
  createGatewayHarness,
  openRow,
  postRow,
} from '../../test/support/gateway/gateway-harness.ts'
import { TransportError } from '../ports.ts'

const answering = (headers: [string, string][]) =>
  createGatewayHarness({ upstream: () => new Response('x', { headers }) })

describe('headers of the request to the upstream', () => {
  // An upstream that trusts a header would believe whoever wrote it.
  test('internal headers from a client are removed, in any case, doubled or with underscores', async () => {
    const harness = await createGatewayHarness()
    const names = [
      'gatehouse-assertion',
      'GATEHOUSE-ASSERTION',
      'Gatehouse_Assertion',
      'gatehouse_assertion',
      'Gatehouse-User',
      'gatehouse_user',
      'GateHouse-_x',
    ]
    const headers = new Headers()
    for (const name of [...names, ...names]) headers.append(name, 'forged')
    await harness.call('/open', { headers })
    const seen = [...harness.last().headers].filter(([name]) => /^gatehouse/i.test(name))
    expect(seen.map(([name]) => name)).toEqual(['gatehouse-assertion'])
    expect(seen[0]?.[1]).toMatch(/^ey[\w-]+\.[\w-]+\.[\w-]+$/)
    expect(JSON.stringify([...harness.last().headers])).not.toContain('forged')
  })

  test('the token and our cookies stay at the gateway, other cookies go along', async () => {
    const harness = await createGatewayHarness()
    const token = await harness.issuer.sign()
    const cookie = 'theme=dark; __Host-gatehouse_refresh=secret;__Host-gatehouse_device=secret; lang=en'
    await harness.call('/closed', { headers: { ...bearer(token), cookie } })
    expect(harness.last().headers.has('authorization')).toBe(false)
    expect(harness.last().headers.get('cookie')).toBe('theme=dark; lang=en')
    await harness.call('/closed', {
      headers: { ...bearer(token), cookie: '__Host-gatehouse_refresh=secret' },
    })
    expect(harness.last().headers.has('cookie')).toBe(false)
    expect(JSON.stringify([...harness.last().headers])).not.toContain(token)
  })

  test('a row that passes cookies or the Authorization header passes these alone', async () => {
    const harness = await createGatewayHarness({
      policy: [
        { ...openRow, passes: ['cookies'] },
        { ...postRow, passes: ['authorization'] },
      ],
    })
    const headers = { cookie: '__Host-gatehouse_refresh=secret', authorization: 'Basic eDp5' }
    await harness.call('/open', { headers })
    expect(harness.last().headers.get('cookie')).toBe('__Host-gatehouse_refresh=secret')
    expect(harness.last().headers.has('authorization')).toBe(false)
    await harness.call('/open', { method: 'POST', headers })
    expect(harness.last().headers.has('cookie')).toBe(false)
    expect(harness.last().headers.get('authorization')).toBe('Basic eDp5')
  })

  // A service that can set the gateway's cookies chooses the browser's session.
  test("an upstream cannot set the gateway's cookies unless its row passes them", async () => {
    const cookies: [string, string][] = [
      ['set-cookie', '__Host-gatehouse_refresh=planted; Path=/; Secure'],
      // Browsers send a cookie without a name as its value alone.
      ['set-cookie', '=__Host-gatehouse_refresh=planted; Path=/; Secure'],
      ['set-cookie', ' = __Host-gatehouse_refresh=planted'],
      ['set-cookie', 'theme=dark'],
    ]
    const closed = await answering(cookies)
    expect((await closed.call('/open')).headers.getSetCookie()).toEqual(['theme=dark'])
    const open = await createGatewayHarness({
      upstream: () => new Response('x', { headers: cookies }),
      policy: [{ ...openRow, passes: ['cookies'] }],
    })
    expect((await open.call('/open')).headers.getSetCookie()).toHaveLength(4)
  })

  // A framework that honours one of these would serve another method or path than the row that let
  // the request in.
  test('headers that reroute inside the upstream never arrive', async () => {
    const harness = await createGatewayHarness()
    const names = [
      'X-HTTP-Method-Override',
      'X-Method-Override',
      'X_HTTP_Method',
      'X-Original-URL',
      'X-Rewrite-URL',
    ]
    await harness.call('/open', { headers: Object.fromEntries(names.map((name) => [name, '/admin'])) })
    expect([...harness.last().headers.values()]).not.toContain('/admin')
  })

  test('X-Forwarded headers have the facts of the connection, and not those of the client', async () => {
    const harness = await createGatewayHarness()
    await harness.call('/open', {
      address: '203.0.113.7',
      headers: {
        'x-forwarded-for': '6.6.6.6',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'https',
        'x-forwarded-port': '1',
        'x-forwarded-prefix': '/admin',
        'x-forwarded-user': 'root',
        'x-real-ip': '6.6.6.6',
        forwarded: 'for=6.6.6.6',
        via: '1.1 evil',
        x_forwarded_for: '6.6.6.6',
        'X-Forwarded_For': '6.6.6.6',
        X_Real_IP: '6.6.6.6',
        x_request_id: 'evil-request-id',
      },
    })
    const seen = Object.fromEntries(harness.last().headers)
    expect(seen).toEqual({
      'gatehouse-assertion': expect.any(String),
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-host': 'gateway.test',
      'x-forwarded-proto': 'http',
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      via: expect.stringMatching(/^1\.1 evil, 1\.1 gatehouse-[0-9a-f]{12}$/),
    })
  })

  test('hop-by-hop headers are removed, and those that Connection names', async () => {
    const harness = await createGatewayHarness()
    const headers = {
      connection: 'close, X-Secret , keep-alive',
      'x-secret': 'a',
      'keep-alive': 'timeout=5',
      'proxy-authorization': 'Basic x',
      'proxy-connection': 'keep-alive',
      te: 'trailers',
      trailer: 'x-sum',
      upgrade: 'h2c',
      expect: '100-continue',
      'x-kept': 'b',
    }
    await harness.call('/open', { headers })
    const names = [...harness.last().headers.keys()]
    expect(names).toContain('x-kept')
    for (const name of Object.keys(headers).filter((name) => name !== 'x-kept'))
      expect(names).not.toContain(name)
  })

  // Connection: gatehouse-assertion would have a naive proxy strip the very header that the
  // upstream decides by.
  test('Connection cannot take our own headers away', async () => {
    const harness = await createGatewayHarness()
    await harness.call('/open', {
      headers: { connection: 'gatehouse-assertion, x-forwarded-for, x-request-id, via' },
    })
    for (const name of ['gatehouse-assertion', 'x-forwarded-for', 'x-request-id', 'via'])
      expect(harness.last().headers.has(name)).toBe(true)
  })

  test('everything else arrives as it was sent', async () => {
    const harness = await createGatewayHarness()
    const headers = {
      accept: 'text/csv',
      'accept-encoding': 'br',
      'if-none-match': '"1"',
      range: 'bytes=0-1',
      'x-own_header': 'a, b',
    }
    await harness.call('/open?a=1&a=2', { headers })
    expect(Object.fromEntries(harness.last().headers)).toMatchObject(headers)
    expect(harness.last().target).toBe('/open?a=1&a=2')
  })
})

describe('headers of the response to the client', () => {
  test('no header that identifies the upstream', async () => {
    const harness = await answering([
      ['server', 'nginx/1.0'],
      ['x-powered-by', 'PHP/5'],
      ['gatehouse-internal', 'x'],
      ['Gatehouse_Node', 'x'],
    ])
    const { headers } = await harness.call('/open')
    for (const name of ['server', 'x-powered-by', 'gatehouse-internal', 'gatehouse_node'])
      expect(headers.has(name)).toBe(false)
  })

  test("hop-by-hop headers and those that the upstream's Connection names are removed, the gateway's own never", async () => {
    const harness = await answering([
      ['connection', 'x-hop, strict-transport-security, ratelimit, x-request-id'],
      ['x-hop', 'a'],
      ['keep-alive', 'timeout=5'],
      ['proxy-authenticate', 'Basic'],
      ['trailer', 'x-sum'],
      ['upgrade', 'h2c'],
      ['x-kept', 'b'],
    ])
    const { headers } = await harness.call('/open')
    for (const name of ['connection', 'x-hop', 'keep-alive', 'proxy-authenticate', 'trailer', 'upgrade'])
      expect(headers.has(name)).toBe(false)
    for (const name of ['x-kept', 'strict-transport-security', 'ratelimit', 'x-request-id'])
      expect(headers.has(name)).toBe(true)
  })

  test('Via, after the entries of the upstream', async () => {
    expect((await (await answering([])).call('/open')).headers.get('via')).toBe('1.1 gatehouse')
    expect((await (await answering([['via', '1.1 cache']])).call('/open')).headers.get('via')).toBe(
      '1.1 cache, 1.1 gatehouse',
    )
  })

  test('each cookie that an upstream sets, apart', async () => {
    const harness = await answering([
      ['set-cookie', 'a=1; Path=/'],
      ['set-cookie', 'b=2, 3'],
    ])
    expect((await harness.call('/open')).headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2, 3'])
  })

  test('status, redirects and headers are those of the upstream; redirects are not followed', async () => {
    const harness = await createGatewayHarness({
      upstream: () =>
        new Response(null, { status: 302, headers: { location: 'http://10.0.0.1/x', etag: '"1"' } }),
    })
    const answer = await harness.call('/open')
    expect(answer.status).toBe(302)
    expect(answer.headers.get('location')).toBe('http://10.0.0.1/x')
    expect(answer.headers.get('etag')).toBe('"1"')
  })

  // A shared cache would serve one user's response to the next.
  test('no cache stores a response to a user unless the upstream allows it', async () => {
    let cacheControl: string | undefined
    const harness = await createGatewayHarness({
      policy: [openRow, closedRow],
      upstream: () => new Response('x', { headers: cacheControl ? { 'cache-control': cacheControl } : {} }),
    })
    const headers = bearer(await harness.issuer.sign())
    expect((await harness.call('/closed', { headers })).headers.get('cache-control')).toBe(
      'private, no-store',
    )
    expect((await harness.call('/open')).headers.get('cache-control')).toBeNull()
    cacheControl = 'max-age=60'
    expect((await harness.call('/closed', { headers })).headers.get('cache-control')).toBe('max-age=60')
  })
})

describe('the request id', () => {
  test('of the client goes through and comes back', async () => {
    const harness = await createGatewayHarness()
    const id = 'client-id_0.1'
    const answer = await harness.call('/open', { headers: { 'x-request-id': id } })
    expect(harness.last().headers.get('x-request-id')).toBe(id)
    expect(answer.headers.get('x-request-id')).toBe(id)
  })

  test('that could harm a log, is too short, too long or doubled is replaced', async () => {
    const harness = await createGatewayHarness()
    for (const id of [
      'short',
      'x'.repeat(129),
      'with space in it',
      'id"with"quotes',
      'one-good-id, another-good-id',
      'späte-bytes',
    ]) {
      const answer = await harness.call('/open', { headers: { 'x-request-id': id } })
      const replaced = answer.headers.get('x-request-id')
      expect(replaced).toMatch(/^[0-9a-f-]{36}$/)
      expect(harness.last().headers.get('x-request-id')).toBe(replaced)
    }
  })

  test("the gateway's X-Request-Id replaces that of the upstream", async () => {
    const harness = await answering([['x-request-id', 'of-the-upstream']])
    expect(
      (await harness.call('/open', { headers: { 'x-request-id': 'of-the-client' } })).headers.get(
        'x-request-id',
      ),
    ).toBe('of-the-client')
  })
})

describe('the body cap', () => {
  const policy = [{ ...postRow, body_bytes: 10 }]

  test('413 body_too_large: Content-Length over the cap, and the upstream sees nothing', async () => {
    const harness = await createGatewayHarness({ policy })
    const answer = await harness.call('/open', {
      method: 'POST',
      body: 'x'.repeat(11),
      headers: { 'content-length': '11' },
    })
    expect(answer.status).toBe(413)
    expect(await answer.json()).toMatchObject({ code: 'body_too_large', limit_bytes: 10 })
    expect(harness.forwarded).toHaveLength(0)
  })

  test('200: a body of exactly the cap, said or not', async () => {
    const received: string[] = []
    const harness = await createGatewayHarness({
      policy,
      upstream: async ({ body }) => {
        received.push(await new Response(body as BodyInit).text())
        return new Response('ok')
      },
    })
    for (const headers of [{ 'content-length': '10' }, {}])
      expect((await harness.call('/open', { method: 'POST', body: '0123456789', headers })).status).toBe(200)
    expect(received).toEqual(['0123456789', '0123456789'])
  })
})

describe('a request whose connection failed before its response', () => {
  const failing = (failures: number, policy = [openRow, postRow]) => {
    let left = failures
    return createGatewayHarness({
      policy,
      upstream: () => {
        if (left-- > 0) throw new TransportError('unreachable', new Error('reset'))
        return new Response('ok')
      },
    })
  }

  test('200: a GET or HEAD is sent once more, on a fresh connection', async () => {
    for (const method of ['GET', 'HEAD']) {
      const harness = await failing(1)
      expect((await harness.call('/open', { method })).status).toBe(200)
      expect(harness.forwarded.map(({ isFresh }) => isFresh)).toEqual([false, true])
    }
  })

  test('502 upstream_unreachable: no more than once more', async () => {
    const harness = await failing(2)
    expect((await harness.call('/open')).status).toBe(502)
    expect(harness.forwarded).toHaveLength(2)
  })

  test('502 upstream_unreachable: a POST is sent once, and so is a GET after its deadline', async () => {
    const harness = await failing(1)
    expect((await harness.call('/open', { method: 'POST', body: 'order' })).status).toBe(502)
    expect(harness.forwarded).toHaveLength(1)
    const late = await createGatewayHarness({
      upstream: () => {
        throw new TransportError('timeout', undefined)
      },
    })
    expect((await late.call('/open')).status).toBe(504)
    expect(late.forwarded).toHaveLength(1)
  })
})
