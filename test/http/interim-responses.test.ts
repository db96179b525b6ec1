import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { json, text } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from 'vitest'
import { openRow, postRow } from '../support/gateway/gateway-harness.ts'
import { ask, closeSockets, exchange, listen, openSocket, startGateway } from '../support/gateway/sockets.ts'

afterEach(closeSockets)

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n'

/** A gateway before an upstream that writes bytes for each request's head. */
async function start(act: (socket: Socket, count: number) => void, deadlineSeconds = 30) {
  let count = 0
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      if (/^(GET|HEAD|POST) /.test(String(data))) act(socket, ++count)
    })
  })
  const policy = [openRow, postRow].map((row) => ({ ...row, deadline_seconds: deadlineSeconds }))
  const { port } = await startGateway({ upstreamPort: await listen(server), policy })
  return { port, count: () => count }
}

/** Asks by Node's client: the interim responses, as statuses and headers, and the final one. */
async function askAll(port: number, method: 'GET' | 'POST') {
  const asked = request({ port, host: '127.0.0.1', path: '/open', method, agent: false })
  const interim: { status: number; headers: NodeJS.Dict<string | string[]> }[] = []
  asked.on('information', ({ statusCode, headers }) => interim.push({ status: statusCode, headers }))
  asked.end(method === 'POST' ? 'body' : undefined)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return { interim, status: answer.statusCode, body: await text(answer) }
}

describe('103 Early Hints of an upstream', () => {
  test.each(['GET', 'POST'] as const)('reach the client before the response: to a %s', async (method) => {
    const { port } = await start((socket) => socket.write(hints + hints + ok))
    const link = { link: '</style.css>; rel=preload; as=style' }
    expect(await askAll(port, method)).toEqual({
      interim: [
        { status: 103, headers: link },
        { status: 103, headers: link },
      ],
      status: 200,
      body: 'ok',
    })
  })

  test('are not held back until the response is there', async () => {
    const mayAnswer = Promise.withResolvers<void>()
    const { port } = await start((socket) => {
      socket.write(hints)
      void mayAnswer.promise.then(() => socket.write(ok))
    })
    const asked = request({ port, host: '127.0.0.1', path: '/open', agent: false }).end()
    await once(asked, 'information')
    mayAnswer.resolve()
    const [answer] = (await once(asked, 'response')) as [IncomingMessage]
    expect(await text(answer)).toBe('ok')
  })

  test('stay in front of their own response on one connection', async () => {
    const { port } = await start((socket, count) => socket.write(count === 2 ? ok : hints + ok))
    const one = 'GET /open HTTP/1.1\r\nHost: x\r\n\r\n'
    const last = 'GET /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
    const wire = await exchange(port, one + one + last)
    expect(wire.match(/HTTP\/1\.1 \d+/g)?.map((line) => line.slice(9))).toEqual([
      '103',
      '200',
      '200',
      '103',
      '200',
    ])
  })

  test('lose the headers that a response loses: hop-by-hop headers, a length, our cookies, server names', async () => {
    const kept = ['Link: <a>; rel=preload', 'Set-Cookie: theme=dark']
    const lost = [
      ...['Server: x', 'Connection: x-hop', 'X-Hop: 1', 'Content-Length: 5', 'Gatehouse-Assertion: x'],
      ...['Set-Cookie: __Host-gatehouse_refresh=x', 'Set-Cookie: =__Host-gatehouse_refresh=x'],
      ...['Access-Control-Allow-Origin: *', 'Alt-Svc: h3=":1"'],
    ]
    const lines = ['HTTP/1.1 103 Early Hints', ...lost, ...kept]
    const { port } = await start((socket) => socket.write(`${lines.join('\r\n')}\r\n\r\n${ok}`))
    expect((await askAll(port, 'GET')).interim).toEqual([
      { status: 103, headers: { link: '<a>; rel=preload', 'set-cookie': ['theme=dark'] } },
    ])
  })

  test('do not reach a client of HTTP/1.0', async () => {
    const { port } = await start((socket) => socket.write(hints + ok))
    const wire = await exchange(port, 'GET /open HTTP/1.0\r\nHost: x\r\n\r\n')
    expect(wire).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(wire).not.toContain('103')
  })
})

test('102 passes like 103; a 100 that the upstream sends on its own does not', async () => {
  const { port } = await start((socket) =>
    socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${ok}`),
  )
  expect((await askAll(port, 'GET')).interim).toEqual([{ status: 102, headers: {} }])
})

// A client that waits for 100 has it from the gateway.
test('100 Continue comes once', async () => {
  const { port } = await start((socket) => socket.write(`HTTP/1.1 100 Continue\r\n\r\n${hints}${ok}`))
  const socket = await openSocket(port)
  const headers = ['Host: x', 'Connection: close', 'Expect: 100-continue', 'Content-Length: 4']
  socket.write(`${['POST /open HTTP/1.1', ...headers].join('\r\n')}\r\n\r\n`)
  const [first] = await once(socket, 'data')
  expect(String(first)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
  const rest = text(socket)
  socket.write('body')
  const wire = await rest
  expect(wire).toMatch(/\r\nHTTP\/1\.1 200 OK\r\n/)
  expect(wire).not.toContain('100 Continue')
})

describe('an upstream of endless interim responses', () => {
  test.each([
    ['too many', () => hints.repeat(17) + ok],
    ['too large', () => `HTTP/1.1 103 E\r\nLink: ${'x'.repeat(9000)}\r\n\r\n`.repeat(2) + ok],
  ])('502 upstream_unreachable: %s, and it is sent once', async (_how, bytes) => {
    const { port, count } = await start((socket) => socket.write(bytes()))
    const answer = await ask(port)
    expect(answer.statusCode).toBe(502)
    expect(await json(answer)).toMatchObject({ code: 'upstream_unreachable' })
    expect(count()).toBe(1)
  })

  test('504 upstream_timeout: they do not move the deadline', async () => {
    const { port } = await start((socket) => {
      const timer = setInterval(() => socket.write(hints), 50)
      socket.on('close', () => clearInterval(timer))
    }, 0.3)
    const answer = await ask(port)
    expect(answer.statusCode).toBe(504)
    expect(await json(answer)).toMatchObject({ code: 'upstream_timeout' })
  })
})

// The client has begun to act on what it was told.
test('502: a GET whose connection breaks behind a 103 is not sent again', async () => {
  const { port, count } = await start((socket) => socket.write(hints, () => socket.resetAndDestroy()))
  expect((await ask(port)).statusCode).toBe(502)
  expect(count()).toBe(1)
})
