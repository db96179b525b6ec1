import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { closeSockets, listen } from '../../../../test/support/gateway/sockets.ts'
import type { Exchange } from './connection.ts'
import { createPool, type Pool, type PoolOptions } from './pool.ts'

const pools: Pool[] = []
afterEach(async () => {
  for (const pool of pools.splice(0)) pool.close()
  await closeSockets()
})

/** An upstream that does to each request's connection what the test says. */
async function start(
  answer: (socket: Socket, request: string, connection: number) => void,
  options: Partial<PoolOptions> = {},
) {
  let connections = 0
  const server = createServer((socket) => {
    const connection = ++connections
    socket.on('error', () => {})
    socket.on('data', (bytes) => answer(socket, bytes.toString('latin1'), connection))
  })
  const port = await listen(server)
  const pool = createPool(`http://127.0.0.1:${port}`, {
    connectTimeoutMs: 1000,
    keepAliveMs: 60_000,
    maxAgeMs: 60_000,
    ...options,
  })
  pools.push(pool)
  return { pool, connections: () => connections }
}

interface Answer {
  status: number
  body: string
}

function exchangeOf(more: Partial<Exchange>, ends: PromiseWithResolvers<Answer>): Exchange {
  const answer: Answer = { status: 0, body: '' }
  return {
    method: 'GET',
    target: '/',
    headers: [],
    body: null,
    contentLength: undefined,
    bodyIdleMs: 60_000,
    onInterim: () => {},
    onHead: (status) => {
      answer.status = status
    },
    onData: (bytes) => {
      answer.body += bytes.toString('latin1')
    },
    onEnd: () => ends.resolve(answer),
    onError: (error) => ends.reject(error),
    ...more,
  }
}

function ask(pool: Pool, more: Partial<Exchange> = {}): Promise<Answer> {
  const ends = Promise.withResolvers<Answer>()
  pool.send(exchangeOf(more, ends))
  return ends.promise
}

const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'

describe('a connection', () => {
  test('is reused by one exchange after the other', async () => {
    const { pool, connections } = await start((socket) => socket.write(hello))
    for (let i = 0; i < 3; i++) expect(await ask(pool)).toEqual({ status: 200, body: 'hello' })
    expect(connections()).toBe(1)
  })

  // All connections read into one buffer.
  test('keeps what it has read of a head while others read', async () => {
    const sockets = new Map<string, Socket>()
    const { pool } = await start((socket, request) => sockets.set(request.slice(4, 6), socket))
    const names = ['/a', '/b', '/c']
    const asked = names.map((target) => ask(pool, { target }))
    await expect.poll(() => sockets.size).toBe(names.length)
    for (const piece of [
      () => 'HTTP/1.1 200 OK\r\nX-Padding: ',
      (name: string) => `${name.repeat(500)}\r\nContent-Le`,
      (name: string) => `ngth: 4\r\n\r\n${name}`,
      (name: string) => name,
    ])
      for (const name of names) {
        sockets.get(name)?.write(piece(name))
        await turn()
      }
    expect(await Promise.all(asked)).toEqual(names.map((name) => ({ status: 200, body: name + name })))
  })

  // A client that makes an upstream send one response too many would choose the next client's
  // response.
  test('with bytes after the response is not reused, whether they came in one packet or two', async () => {
    const planted = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted'
    const { pool, connections } = await start((socket, _request, connection) => {
      socket.write(connection === 1 ? hello + planted : hello)
      if (connection === 2) setImmediate(() => socket.write(planted))
    })
    expect(await ask(pool)).toEqual({ status: 200, body: 'hello' })
    expect(await ask(pool)).toEqual({ status: 200, body: 'hello' })
    await expect.poll(() => ask(pool).then(() => connections())).toBeGreaterThanOrEqual(3)
    expect(await ask(pool)).toEqual({ status: 200, body: 'hello' })
  })

  test("is not reused in the last second of the upstream's Keep-Alive timeout", async () => {
    const { pool, connections } = await start((socket) =>
      socket.write(hello.replace('\r\n\r\n', '\r\nKeep-Alive: timeout=1\r\n\r\n')),
    )
    await ask(pool)
    await ask(pool)
    expect(connections()).toBe(2)
  })

  test('whose upstream responded before the request was sent is not reused', async () => {
    const { pool, connections } = await start((socket, request) => {
      if (/^(POST|GET)/.test(request)) socket.write(hello)
    })
    const never = Promise.withResolvers<void>()
    async function* body() {
      yield Buffer.from('half')
      await never.promise
    }
    expect(await ask(pool, { method: 'POST', body: body(), contentLength: 8 })).toMatchObject({ status: 200 })
    expect(await ask(pool)).toMatchObject({ status: 200 })
    expect(connections()).toBe(2)
    never.resolve()
  })

  test('whose response ends with it ends well, unless it is reset', async () => {
    const { pool } = await start((socket, request) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nall')
      if (request.includes('/reset')) setTimeout(() => socket.resetAndDestroy(), 20)
      else socket.end()
    })
    expect(await ask(pool)).toEqual({ status: 200, body: 'all' })
    await expect(ask(pool, { target: '/reset' })).rejects.toThrow()
  })

  test('that closes inside a body of known length or of chunks fails', async () => {
    for (const head of ['Content-Length: 9', 'Transfer-Encoding: chunked']) {
      const { pool } = await start((socket) => socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n5\r\nhe`))
      await expect(ask(pool)).rejects.toThrow()
    }
  })

  test('that stays silent inside a body fails, but not while the reader is paused', async () => {
    const { pool } = await start((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhe'))
    await expect(ask(pool, { bodyIdleMs: 50 })).rejects.toThrow('silent')
    const ends = Promise.withResolvers<Answer>()
    let failed = false
    const exchange = exchangeOf(
      {
        bodyIdleMs: 50,
        onData: () => connection.pause(exchange),
        onError: (error) => {
          failed = true
          ends.reject(error)
        },
      },
      ends,
    )
    const connection = pool.send(exchange)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(failed).toBe(false)
    connection.resume(exchange)
    await expect(ends.promise).rejects.toThrow('silent')
  })

  test('skips interim responses, and fails on an unrequested upgrade', async () => {
    const { pool } = await start((socket, request) =>
      socket.write(
        request.includes('/up')
          ? 'HTTP/1.1 101 Switching Protocols\r\n\r\n'
          : `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${hello}`,
      ),
    )
    expect(await ask(pool)).toEqual({ status: 200, body: 'hello' })
    await expect(ask(pool, { target: '/up' })).rejects.toThrow('upgrade')
  })
})

describe('bodies of requests', () => {
  async function* pieces(...texts: string[]) {
    for (const text of texts) yield Buffer.from(text)
  }

  /** An upstream that answers with all that it got, when it got what it should end with. */
  const echo = (end: string) => {
    let got = ''
    return start((socket, bytes) => {
      got += bytes
      if (got.endsWith(end)) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${got.length}\r\n\r\n${got}`)
    })
  }

  test('go in chunks where their length is not known', async () => {
    const { pool } = await echo('0\r\n\r\n')
    const { body } = await ask(pool, { method: 'POST', body: pieces('one', '', 'three') })
    expect(body).toContain('transfer-encoding: chunked\r\n')
    expect(body).toMatch(/\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n$/)
  })

  test('go by their length where it is known', async () => {
    const { pool } = await echo('onetwo')
    const { body } = await ask(pool, { method: 'PUT', body: pieces('one', 'two'), contentLength: 6 })
    expect(body).toMatch(/content-length: 6\r\n\r\nonetwo$/)
  })

  test.each([
    ['longer', 5],
    ['shorter', 7],
  ])('that are %s than they were said to be end the connection', async (_how, contentLength) => {
    const { pool } = await start(() => {})
    await expect(ask(pool, { method: 'POST', body: pieces('one', 'two'), contentLength })).rejects.toThrow(
      'than it was said to be',
    )
  })

  test('that are missing are said to be empty where one is expected', async () => {
    const { pool } = await echo('\r\n\r\n')
    expect((await ask(pool, { method: 'POST' })).body).toContain('content-length: 0\r\n')
  })
})

describe('the pool', () => {
  // A bound here, below that of the requests under way, would have a request wait for the streams
  // of others.
  test('opens a connection for each exchange that finds none idle', async () => {
    const sockets: Socket[] = []
    const { pool, connections } = await start((socket) => sockets.push(socket))
    const asked = Array.from({ length: 300 }, () => ask(pool))
    await expect.poll(() => sockets.length).toBe(300)
    for (const socket of sockets) socket.write(hello)
    expect(await Promise.all(asked)).toHaveLength(300)
    expect(connections()).toBe(300)
  })

  test('opens one for an exchange that needs a fresh one, even with idle ones', async () => {
    const { pool, connections } = await start((socket) => socket.write(hello))
    await ask(pool)
    const ends = Promise.withResolvers<Answer>()
    pool.send(exchangeOf({}, ends), true)
    expect(await ends.promise).toMatchObject({ status: 200 })
    expect(connections()).toBe(2)
  })

  // Else an upstream that moved in DNS would never be found as long as somebody asks the one before
  // it.
  test('a connection beyond its age begins no exchange, and ends none', async () => {
    const sockets: Socket[] = []
    const { pool, connections } = await start((socket) => sockets.push(socket), { maxAgeMs: 30 })
    const first = ask(pool)
    await expect.poll(() => sockets.length).toBe(1)
    const openedBy = Date.now()
    const [socket] = sockets as [Socket]
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe')
    await expect.poll(() => Date.now() - openedBy, { interval: 5 }).toBeGreaterThan(30)
    const closed = once(socket, 'close')
    socket.write('llo')
    expect(await first).toEqual({ status: 200, body: 'hello' })
    await closed
    const second = ask(pool)
    await expect.poll(() => sockets.length).toBe(2)
    sockets[1]?.write(hello)
    expect(await second).toMatchObject({ status: 200 })
    expect(connections()).toBe(2)
  })

  test('an idle connection ends with its age', async () => {
    const sockets: Socket[] = []
    const { pool } = await start((socket) => sockets.push(socket), { maxAgeMs: 1500 })
    const asked = Array.from({ length: 5 }, () => ask(pool))
    await expect.poll(() => sockets.length).toBe(5)
    const closed = Promise.all(sockets.map((socket) => once(socket, 'close')))
    for (const socket of sockets) socket.write(hello)
    await Promise.all(asked)
    await closed
  })

  // The connection is another's by then.
  test('does nothing for an exchange that is over', async () => {
    const sockets: Socket[] = []
    const { pool } = await start((socket) => sockets.push(socket))
    const first = Promise.withResolvers<Answer>()
    const over = exchangeOf({}, first)
    const connection = pool.send(over)
    await expect.poll(() => sockets.length).toBe(1)
    sockets[0]?.write(hello)
    await first.promise
    const next = ask(pool)
    connection.pause(over)
    connection.abort(over, new Error('too late'))
    // The same socket again, for its second request.
    await expect.poll(() => sockets.length).toBe(2)
    sockets[1]?.write(hello)
    expect(await next).toMatchObject({ status: 200 })
  })

  // Without the timer a server that takes connections and never speaks TLS would hold its request
  // for as long as it likes.
  test('a connection that does not come fails in time', async () => {
    const port = await listen(createServer(() => {}))
    const pool = createPool(`https://127.0.0.1:${port}`, {
      connectTimeoutMs: 100,
      keepAliveMs: 1000,
      maxAgeMs: 1000,
    })
    pools.push(pool)
    await expect(ask(pool)).rejects.toThrow('no connection in time')
  })

  test('close lets the response in progress end, and then its connection', async () => {
    const sockets: Socket[] = []
    const { pool } = await start((socket) => sockets.push(socket))
    const asked = ask(pool)
    await expect.poll(() => sockets.length).toBe(1)
    pool.close()
    const closed = once(sockets[0] as Socket, 'close')
    sockets[0]?.write(hello)
    expect(await asked).toMatchObject({ status: 200 })
    await closed
  })
})
