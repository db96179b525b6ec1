import { hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { PolicyRow } from '../../gateway/policy/policy.ts'
import { createClock } from '../support/clock.ts'
import { openRow } from '../support/gateway/gateway-harness.ts'
import {
  ask,
  bodyOf,
  closeSockets,
  exchange,
  listen,
  openSocket,
  startGateway,
  statusOf,
} from '../support/gateway/sockets.ts'

afterEach(closeSockets)

const page = 'https://app.example.com'
const openSocketRow: PolicyRow = { ...openRow, path: '/socket', websocket: true }
const closedSocketRow: PolicyRow = {
  ...openSocketRow,
  path: '/mine',
  who: 'user',
  limits: ['user'],
  permissions: { all: ['profile.read'] },
}
const eventsRow: PolicyRow = { ...openRow, path: '/events', who: 'user', limits: ['user'] }

/** An upstream that echoes over WebSockets, and a gateway before it. */
async function start(options: Partial<Parameters<typeof startGateway>[0]> = {}) {
  const upgrades: IncomingMessage[] = []
  const requests: IncomingMessage[] = []
  const open = new Set<WebSocket>()
  const upstream = createServer((request, response) => {
    requests.push(request)
    if (request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
    } else response.end('ordinary')
  })
  const sockets = new WebSocketServer({
    server: upstream,
    handleProtocols: (offered) => [...offered].find((name) => name === 'chat') ?? false,
  })
  sockets.on('connection', (socket, request) => {
    upgrades.push(request)
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => {})
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  const gateway = await startGateway({
    upstreamPort: await listen(upstream),
    policy: [openRow, openSocketRow, closedSocketRow, eventsRow],
    ...options,
    environment: { CORS_ORIGINS: page, LIMIT_ADDRESS_REQUESTS: '1000000', ...options.environment },
  })

  /** Opens a WebSocket through the gateway, or gives the refusal. */
  async function connect(path: string, protocols: string[] = [], headers: Record<string, string> = {}) {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, protocols, { headers })
    socket.on('error', () => {})
    const refused = once(socket, 'unexpected-response').then(([, answer]) => answer as IncomingMessage)
    const opened = once(socket, 'open').then(() => undefined)
    const answer = await Promise.race([refused, opened])
    return { socket, refused: answer && { status: answer.statusCode, body: JSON.parse(await text(answer)) } }
  }

  async function echo(socket: WebSocket, message: string | Buffer) {
    const answered = once(socket, 'message')
    socket.send(message)
    const [data] = await answered
    return data as Buffer
  }

  return { ...gateway, upgrades, requests, open, connect, echo }
}

type Started = Awaited<ReturnType<typeof start>>

const bearerProtocol = async ({ issuer }: Started, claims = {}) =>
  `gatehouse.bearer.${await issuer.sign(claims)}`

describe('a row that is a WebSocket', () => {
  test('101: with a Content-Length of 0', async () => {
    const gateway = await start()
    const { socket } = await gateway.connect('/socket', [], { 'content-length': '0' })
    expect(String(await gateway.echo(socket, 'hello'))).toBe('hello')
    expect(gateway.requests).toEqual([])
    socket.close()
  })

  // A client that reads nothing would otherwise hold its place until its token expires.
  test('ends where its client does not read', async () => {
    const gateway = await start({ stallSeconds: 0.3 })
    const { socket } = await gateway.connect('/socket')
    const megabyte = Buffer.alloc(1024 ** 2)
    socket.pause()
    for (let i = 0; i < 32; i++) socket.send(megabyte)
    await expect.poll(() => gateway.open.size, { timeout: 10_000 }).toBe(0)
  })

  test('101: messages both ways, small and large, and a close that both sides get', async () => {
    const gateway = await start()
    const { socket } = await gateway.connect('/socket')
    expect(String(await gateway.echo(socket, 'hello'))).toBe('hello')
    const large = Buffer.alloc(5_000_000, 'gatehouse')
    expect((await gateway.echo(socket, large)).equals(large)).toBe(true)
    const closed = once(socket, 'close')
    socket.close(4000, 'done')
    expect((await closed)[0]).toBe(4000)
    await expect.poll(() => gateway.open.size).toBe(0)
  })

  test('101 with the whole set of headers, and what comes with the handshake is not lost', async () => {
    const gateway = await start()
    const socket = await openSocket(gateway.port)
    const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
    const handshake =
      'GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
    socket.write(Buffer.concat([Buffer.from(handshake), frame]))
    let answer = ''
    while (!answer.endsWith('\x81\x02hi')) answer += (await once(socket, 'data'))[0].toString('latin1')
    expect(answer).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
    expect(answer).toMatch(/\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i)
    expect(answer).toMatch(/\r\nstrict-transport-security: /i)
  })

  test.each([
    ['Firefox', '/socket', 'keep-alive, Upgrade'],
    ['a proxy that rewrites names', '/socket', 'upgrade'],
    ['the absolute form of the target', 'http://x/socket', 'Upgrade'],
    ['a path with needless encodings', '/%73ocket', 'Upgrade'],
  ])('101: the handshake of %s', async (_name, target, connection) => {
    const gateway = await start()
    const socket = await openSocket(gateway.port)
    socket.write(
      `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    const [head] = await once(socket, 'data')
    expect(String(head)).toMatch(/^HTTP\/1\.1 101 /)
    expect(gateway.upgrades[0]?.url).toBe('/socket')
  })

  test('the upstream has the assertion, and of the client neither token nor its subprotocol', async () => {
    const gateway = await start()
    const token = await gateway.issuer.sign()
    const { socket } = await gateway.connect('/mine', ['chat', `gatehouse.bearer.${token}`])
    expect(socket.protocol).toBe('chat')
    const { rawHeaders, headers } = gateway.upgrades[0] as IncomingMessage
    expect(headers['gatehouse-assertion']).toMatch(/^ey/)
    expect(headers['sec-websocket-protocol']).toBe('chat')
    expect(rawHeaders.join('\n')).not.toContain(token)
    socket.terminate()
    await expect.poll(() => gateway.lines.filter(({ path }) => path === '/mine')).toHaveLength(1)
    expect(JSON.stringify(gateway.lines)).not.toContain(token)
  })

  test('101: a token in Authorization, from clients that can', async () => {
    const gateway = await start()
    const { refused } = await gateway.connect('/mine', [], {
      authorization: `Bearer ${await gateway.issuer.sign()}`,
    })
    expect(refused).toBeUndefined()
  })

  test.each([
    [401, 'token_missing', async () => ['chat']],
    [401, 'invalid_token', async () => ['gatehouse.bearer.x.y.z']],
    [
      403,
      'permission_required',
      async (gateway: Started) => [await bearerProtocol(gateway, { permissions: [] })],
    ],
    [
      401,
      'invalid_token',
      async (gateway: Started) => [await bearerProtocol(gateway), await bearerProtocol(gateway)],
    ],
  ] as const)(
    '%i %s as for any other request, before the upstream is called',
    async (status, code, protocols) => {
      const gateway = await start()
      const { refused } = await gateway.connect('/mine', [...(await protocols(gateway))])
      expect(refused).toMatchObject({ status, body: { code, status } })
      expect(gateway.upgrades).toEqual([])
    },
  )

  test('429 rate_limited: handshakes count like any other request', async () => {
    const gateway = await start()
    const protocol = await bearerProtocol(gateway, { quota: 1 })
    expect((await gateway.connect('/mine', ['chat', protocol])).refused).toBeUndefined()
    expect((await gateway.connect('/mine', ['chat', protocol])).refused).toMatchObject({
      status: 429,
      body: { code: 'rate_limited' },
    })
  })

  // CORS does not apply to WebSockets: any page may open one, with credentials that it obtains from
  // its user.
  test('403 origin_not_allowed: from a page of another origin, on public rows too', async () => {
    const gateway = await start()
    const mine = async (origin: string) =>
      gateway.connect('/mine', ['chat', await bearerProtocol(gateway)], { origin })
    const anybodys = (origin: string) => gateway.connect('/socket', [], { origin })
    for (const connectFrom of [mine, anybodys]) {
      for (const origin of ['https://evil.example', 'null', `${page}.evil.example`, 'http://app.example.com'])
        expect((await connectFrom(origin)).refused).toMatchObject({
          status: 403,
          body: { code: 'origin_not_allowed' },
        })
      expect((await connectFrom(page)).refused).toBeUndefined()
    }
  })

  test('503 overloaded: an open one holds one of the places of its upstream, and gives it back', async () => {
    const gateway = await start({ environment: { UPSTREAM_REQUESTS: '1' } })
    const { socket } = await gateway.connect('/socket')
    expect((await gateway.connect('/socket')).refused).toMatchObject({
      status: 503,
      body: { code: 'overloaded' },
    })
    expect((await ask(gateway.port)).statusCode).toBe(503)
    socket.terminate()
    await expect.poll(async () => (await ask(gateway.port)).statusCode).toBe(200)
  })

  test("an upstream's own rejection reaches the client, and its connection ends", async () => {
    const upstream = createServer()
    upstream.on('upgrade', (_request, socket) =>
      socket.end('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\nX-Powered-By: x\r\n\r\nno'),
    )
    const gateway = await startGateway({ upstreamPort: await listen(upstream), policy: [openSocketRow] })
    const answer = await exchange(
      gateway.port,
      'GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
    expect(statusOf(answer)).toBe(426)
    expect(bodyOf(answer)).toBe('no')
    expect(answer).not.toMatch(/x-powered-by/i)
  })

  test('a client that does not read such a rejection is closed after a while, and its slot released', async () => {
    const upstream = createServer((_request, response) => response.end('ok'))
    upstream.on('upgrade', (_request, socket) => {
      socket.on('error', () => {})
      socket.end(
        Buffer.concat([
          Buffer.from('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 20000000\r\n\r\n'),
          Buffer.alloc(20_000_000),
        ]),
      )
    })
    const gateway = await startGateway({
      upstreamPort: await listen(upstream),
      policy: [openRow, openSocketRow],
      environment: { UPSTREAM_REQUESTS: '1', LIMIT_ADDRESS_REQUESTS: '1000000' },
      stallSeconds: 0.3,
    })
    const socket = await openSocket(gateway.port)
    socket.pause()
    socket.write('GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await sleep(100)
    expect((await ask(gateway.port)).statusCode).toBe(503)
    await expect.poll(async () => (await ask(gateway.port)).statusCode, { timeout: 5000 }).toBe(200)
  })

  test('502 and 504: an upstream that cannot be reached, or does not respond', async () => {
    const silent = createServer()
    silent.on('upgrade', () => {})
    const dead = createServer()
    const deadPort = await listen(dead)
    dead.close()
    for (const [upstreamPort, status] of [
      [await listen(silent), 504],
      [deadPort, 502],
    ] as const) {
      const gateway = await startGateway({
        upstreamPort,
        policy: [{ ...openSocketRow, deadline_seconds: 0.2 }],
      })
      const answer = await exchange(
        gateway.port,
        'GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      )
      expect(statusOf(answer)).toBe(status)
      expect(answer).toMatch(/\r\nretry-after: 1\r\n/i)
    }
  })

  test('a client that is gone ends it at the upstream', async () => {
    const gateway = await start()
    const { socket } = await gateway.connect('/socket')
    expect(gateway.open.size).toBe(1)
    socket.terminate()
    await expect.poll(() => gateway.open.size).toBe(0)
  })
})

describe('a row without WebSockets', () => {
  test('200: the request is served as if it had no Upgrade header', async () => {
    const gateway = await start()
    for (const upgrade of ['websocket', 'h2c'])
      for (const path of upgrade === 'h2c' ? ['/open', '/socket'] : ['/open']) {
        const answer = await exchange(
          gateway.port,
          `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade\r\nUpgrade: ${upgrade}\r\n` +
            'Sec-WebSocket-Protocol: gatehouse.bearer.secret\r\n\r\n',
        )
        expect(statusOf(answer)).toBe(200)
        const { headers } = gateway.requests.at(-1) as IncomingMessage
        expect(headers.upgrade).toBeUndefined()
        expect(JSON.stringify(headers)).not.toContain('secret')
      }
  })

  test('404 not_found: a path that no row names', async () => {
    const gateway = await start()
    expect((await gateway.connect('/nowhere')).refused).toMatchObject({ status: 404 })
  })
})

describe('connections that outlive their token', () => {
  const sub = crypto.randomUUID()
  const sid = crypto.randomUUID()

  /** A gateway with a WebSocket and a stream of events of one user open. */
  async function startOpen() {
    const clock = createClock(Date.now())
    const entries: unknown[] = []
    const gateway = await start({
      now: clock.now,
      revocations: () => ({ entries, next: String(entries.length) }),
    })
    const token = await gateway.issuer.sign({ sub, sid })
    const { socket } = await gateway.connect('/mine', ['chat', `gatehouse.bearer.${token}`])
    const events = await ask(gateway.port, { path: '/events', headers: { authorization: `Bearer ${token}` } })
    await once(events, 'data')
    const other = await gateway.connect('/mine', [
      'chat',
      await bearerProtocol(gateway, { exp: clock.seconds + 9000 }),
    ])
    return {
      ...gateway,
      clock,
      async revoke(entry: object) {
        entries.push({ until: clock.now() + 900_000, at: clock.now(), epoch: null, ...entry })
        await gateway.syncRevocations()
      },
      /** Both end, and say why. */
      async expectEnded(code: number, reason: string) {
        const closed = once(socket, 'close')
        const rest = text(events)
        expect(await closed).toEqual([code, Buffer.from(reason)])
        expect(await rest).toBe(`event: gatehouse-end\ndata: ${JSON.stringify({ code, reason })}\n\n`)
        expect(events.complete).toBe(true)
        await expect.poll(() => gateway.open.size).toBe(1)
        expect(other.socket.readyState).toBe(WebSocket.OPEN)
      },
      isOpen: () => socket.readyState === WebSocket.OPEN && !events.destroyed,
    }
  }

  test('4401 token_expired: by its time', async () => {
    const gateway = await startOpen()
    gateway.clock.advance(904)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(gateway.isOpen()).toBe(true)
    gateway.clock.advance(1)
    await gateway.expectEnded(4401, 'token_expired')
  })

  test('4401 session_ended: by the end of its session', async () => {
    const gateway = await startOpen()
    const ended = gateway.expectEnded(4401, 'session_ended')
    await gateway.revoke({ scope: 'session', subject: sid })
    await ended
  })

  test('4403 claims_stale: by rights that were withdrawn', async () => {
    const gateway = await startOpen()
    const ended = gateway.expectEnded(4403, 'claims_stale')
    await gateway.revoke({ scope: 'user', subject: sub, epoch: 2 })
    await ended
  })

  test('1001 restart: by a stop of this instance, with any client', async () => {
    const gateway = await start()
    const { socket } = await gateway.connect('/socket')
    const closed = once(socket, 'close')
    gateway.streams.endAll()
    expect(await closed).toEqual([1001, Buffer.from('restart')])
    await expect.poll(() => gateway.open.size).toBe(0)
  })

  // A Close frame inside another would be a part of its message.
  test('a message that is under way when the WebSocket ends arrives whole before the Close frame', async () => {
    const upstream = createServer()
    const peers: Duplex[] = []
    upstream.on('upgrade', ({ headers }, peer: Duplex) => {
      const accept = hash(
        'sha1',
        `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`,
        'base64',
      )
      peer.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      )
      peer.write(Buffer.concat([Buffer.from([0x82, 126, 0x03, 0xe8]), Buffer.alloc(500, 1)]))
      peer.on('error', () => {})
      peers.push(peer)
    })
    const gateway = await startGateway({ upstreamPort: await listen(upstream), policy: [openSocketRow] })
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/socket`)
    const closed = once(socket, 'close')
    const message = once(socket, 'message')
    await once(socket, 'open')
    await expect.poll(() => peers.length).toBe(1)
    // The first half has passed, too, once the client has it.
    await expect.poll(() => (socket as unknown as { _socket: Socket })._socket.bytesRead).toBeGreaterThan(500)
    gateway.streams.endAll()
    peers[0]?.write(Buffer.concat([Buffer.alloc(500, 1), Buffer.from([0x82, 1, 9])]))
    expect(((await message)[0] as Buffer).equals(Buffer.alloc(1000, 1))).toBe(true)
    expect(await closed).toEqual([1001, Buffer.from('restart')])
  })

  test('an event that is under way when the stream ends arrives whole before the last event', async () => {
    const responses: ServerResponse[] = []
    const upstream = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('id: 7\ndata: a')
      responses.push(response)
    })
    const gateway = await startGateway({ upstreamPort: await listen(upstream), policy: [openRow] })
    const events = await ask(gateway.port)
    await once(events, 'readable')
    gateway.streams.endAll()
    responses[0]?.write('bc\n\ndata: later\n\n')
    expect(await text(events)).toBe(
      'id: 7\ndata: abc\n\nevent: gatehouse-end\ndata: {"code":1001,"reason":"restart"}\n\n',
    )
  })

  test('a stream that no event can be put into, as it is compressed, is cut off', async () => {
    const upstream = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' })
      response.write('x')
    })
    const gateway = await startGateway({ upstreamPort: await listen(upstream), policy: [openRow] })
    const events = await ask(gateway.port)
    events.on('error', () => {})
    await once(events, 'data')
    const closed = new Promise((resolve) => events.once('close', resolve))
    gateway.streams.endAll()
    await closed
    expect(events.complete).toBe(false)
  })

  // Without a gap: the next stream is open before the one before it ends.
  test('a second stream of the user with a new token is open before the first one ends', async () => {
    const gateway = await startOpen()
    const renewed = await gateway.connect('/mine', [
      'chat',
      await bearerProtocol(gateway, { sub, sid, exp: gateway.clock.seconds + 9000 }),
    ])
    gateway.clock.advance(905)
    await expect.poll(() => gateway.isOpen()).toBe(false)
    expect(await gateway.echo(renewed.socket, 'still here')).toEqual(Buffer.from('still here'))
  })
})
