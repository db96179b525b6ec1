import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type ConstantRateOptions, runConstantRate } from './constant-rate.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const ok = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`

/** Tells the server's handler of each request by its path. */
async function startServer(answer: (path: string, socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.setEncoding('latin1')
    socket.on('error', () => socket.destroy())
    socket.on('data', (head: string) => answer(head.split(' ')[1] ?? '', socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function run(url: string, options: Partial<ConstantRateOptions> = {}) {
  let asked = 0
  return runConstantRate({
    url,
    rate: 100,
    rampSeconds: 0,
    seconds: 1,
    users: 10,
    nextRequest: () => {
      const path = `/${asked++}`
      const text = `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`
      return { kind: 'feed', text, isOwn: (response) => response.endsWith(`me ${path}`) }
    },
    onMeasuring: () => {},
    onSecond: () => {},
    ...options,
  })
}

describe('the generator', () => {
  test('sends as many requests as were due, and every one gets its own response', async () => {
    const url = await startServer((path, socket) => socket.write(ok(`me ${path}`)))
    const figures = await run(url)
    expect(figures).toMatchObject({ due: 100, statuses: { 200: 100 }, failed: 0, otherUser: 0 })
    expect(figures.latency.count).toBe(100)
  })

  test('counts the wait of every request that was due while a server stood still', async () => {
    const url = await startServer((path, socket) => {
      setTimeout(() => socket.write(ok(`me ${path}`)), path === '/0' ? 500 : 0)
    })
    const { latency, statuses } = await run(url, { connections: 1 })
    expect(statuses).toEqual({ 200: 100 })
    // 50 of 100 waited 250 ms on average. Measured from when they were sent, one of 100 had waited.
    expect(latency.mean).toBeGreaterThan(100)
    expect(latency.p90).toBeGreaterThan(350)
    expect(latency.max).toBeGreaterThanOrEqual(490)
  })

  test('goes on sending while a hundred requests wait for their responses', async () => {
    const waiting: Socket[] = []
    const url = await startServer((_path, socket) => {
      waiting.push(socket)
      if (waiting.length === 100) for (const one of waiting) one.write(ok('me'))
    })
    const { due, statuses } = await run(url)
    expect({ due, statuses }).toEqual({ due: 100, statuses: { 200: 100 } })
  })

  test('tells a response of another user from a rejected request and from a closed connection', async () => {
    const url = await startServer((path, socket) => {
      if (path === '/3') socket.write(ok('me /4'))
      else if (path === '/5') socket.write('HTTP/1.1 429 Too Many Requests\r\ncontent-length: 2\r\n\r\n{}')
      else if (path === '/7') socket.resetAndDestroy()
      else if (path === '/9') socket.end()
      else socket.write(ok(`me ${path}`))
    })
    expect(await run(url)).toMatchObject({
      due: 100,
      statuses: { 200: 97, 429: 1, closed: 2 },
      failed: 4,
      otherUser: 1,
    })
  })

  test('reads a response in pieces, by its length or in chunks', async () => {
    const url = await startServer((path, socket) => {
      const body = `me ${path}`
      const chunked = `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      const whole = Number(path.slice(1)) % 2 === 0 ? ok(body) : chunked
      socket.write(whole.slice(0, 30))
      setImmediate(() => socket.write(whole.slice(30)))
    })
    const isOwn = (response: string) => response.includes('me /')
    let asked = 0
    const nextRequest = () => ({
      kind: 'feed' as const,
      text: `GET /${asked++} HTTP/1.1\r\nhost: x\r\n\r\n`,
      isOwn,
    })
    expect(await run(url, { nextRequest })).toMatchObject({ statuses: { 200: 100 }, failed: 0 })
  })

  test('lets users come over the ramp, which does not count', async () => {
    const url = await startServer((_path, socket) => socket.write(ok('me')))
    const actives: number[] = []
    let before = 0
    const nextRequest = (active: number) => {
      actives.push(active)
      return { kind: 'feed' as const, text: 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', isOwn: () => true }
    }
    const onMeasuring = () => {
      before = actives.length
    }
    const { due } = await run(url, { rampSeconds: 1, users: 50, rate: 200, nextRequest, onMeasuring })
    expect(due).toBe(200)
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(150)
    expect(actives[0]).toBe(1)
    expect(actives).toEqual(actives.toSorted((one, other) => one - other))
    expect(actives.at(-1)).toBe(50)
  })
})
