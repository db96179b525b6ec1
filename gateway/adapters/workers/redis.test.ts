import { connect as connectSocket } from 'node:net'
import { Duplex } from 'node:stream'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { type PrivateRedis, startPrivateRedis } from '../../../tools/servers/redis/redis.ts'
import { type Connect, createRedis, type Socket } from './redis.ts'

let redis: PrivateRedis
let admin: Redis
beforeAll(async () => {
  redis = await startPrivateRedis()
  admin = new Redis(redis.url)
})
afterAll(async () => {
  admin.disconnect()
  await redis.stop()
})

/** The platform's function on Node's sockets; counts what was opened and written. */
function createConnect() {
  const seen = { connections: 0, writes: 0, options: [] as unknown[] }
  const connect: Connect = ({ hostname, port }, options) => {
    seen.connections++
    seen.options.push({ hostname, port, ...options })
    const socket = connectSocket(port, hostname)
    const { readable, writable } = Duplex.toWeb(socket)
    const inner = (writable as WritableStream<Uint8Array>).getWriter()
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const counted = new WritableStream<Uint8Array>({
      write(chunk) {
        seen.writes++
        return inner.write(chunk)
      },
    })
    return {
      readable: readable as ReadableStream<Uint8Array>,
      writable: counted,
      closed,
      close: async () => void socket.destroy(),
    } satisfies Socket
  }
  return { connect, seen }
}

describe('commands', () => {
  test('several commands in one write over one connection get replies in their order', async () => {
    const { connect, seen } = createConnect()
    const ask = createRedis({ url: redis.url, connect })
    expect(
      await ask([
        ['SET', 'a', 'é'],
        ['GET', 'a'],
        ['INCR', 'n'],
        ['MGET', 'a', 'none'],
      ]),
    ).toEqual(['OK', 'é', 1, ['é', null]])
    expect(seen).toMatchObject({ connections: 1, writes: 1 })
  })

  test('with the user, the password and the database of the URL, in the same write', async () => {
    await admin.call('ACL', 'SETUSER', 'edge', 'on', '>p@ss/w:rd', '~*', '+@all')
    const { connect, seen } = createConnect()
    const { host } = new URL(redis.url)
    const ask = createRedis({ url: `redis://edge:${encodeURIComponent('p@ss/w:rd')}@${host}/3`, connect })
    expect(
      await ask([
        ['SET', 'here', 1],
        ['ACL', 'WHOAMI'],
      ]),
    ).toEqual(['OK', 'edge'])
    expect(seen.writes).toBe(1)
    await admin.select(3)
    expect(await admin.get('here')).toBe('1')
    await admin.select(0)
  })

  test('over TLS where the URL is rediss://, at the standard port if it names none', async () => {
    const { connect, seen } = createConnect()
    await createRedis({ url: 'rediss://[::1]/', connect })([['PING']]).catch(() => {})
    expect(seen.options).toEqual([
      { hostname: '::1', port: 6379, secureTransport: 'on', allowHalfOpen: false },
    ])
  })

  test('many at once do not get each other’s responses', async () => {
    const ask = createRedis({ url: redis.url, connect: createConnect().connect })
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => ask([['ECHO', `answer ${i}`]])))
    expect(answers.flat()).toEqual(Array.from({ length: 50 }, (_, i) => `answer ${i}`))
  })
})

describe('commands reject for', () => {
  test('a wrong password', async () => {
    const { host } = new URL(redis.url)
    const ask = createRedis({ url: `redis://edge:wrong@${host}`, connect: createConnect().connect })
    await expect(ask([['PING']])).rejects.toThrow('WRONGPASS')
  })

  test('a command that Redis rejects', async () => {
    const ask = createRedis({ url: redis.url, connect: createConnect().connect })
    await expect(
      ask([
        ['SET', 'text', 'x'],
        ['INCR', 'text'],
      ]),
    ).rejects.toThrow('not an integer')
  })

  test('no server listens, or the connection ends', async () => {
    const url = `redis://127.0.0.1:${await findFreePort()}`
    const { connect } = createConnect()
    await expect(createRedis({ url, connect })([['PING']])).rejects.toThrow()
    await expect(createRedis({ url: redis.url, connect })([['QUIT'], ['PING']])).rejects.toThrow()
  })
})
