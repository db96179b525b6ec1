import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { createLog } from './log.ts'
import { connectRedis } from './redis.ts'

const password = 'right-or-wrong-but-secret'

/** Replies as Redis does when it has no connection left, or does not accept the password. */
async function startRejectingRedis(reply: string): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('data', () => socket.end(reply.repeat(8)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `127.0.0.1:${address.port}`
}

/** @returns the first log line about a client that could not connect */
function firstLine(url: string): Promise<string> {
  return new Promise((resolve) => {
    const log = createLog('gateway', 'info', { write: resolve })
    const client = connectRedis(url, log)
    afterAll(() => client.disconnect())
  })
}

const replies = {
  'has no connection left': '-ERR max number of clients reached\r\n',
  'does not accept the password': '-WRONGPASS invalid username-password pair or user is disabled.\r\n',
}

for (const [state, reply] of Object.entries(replies))
  for (const scheme of ['redis', 'redis-cluster'])
    for (const user of ['', 'gateway'])
      test(`no password in the log: ${scheme}://${user}:…@ to a Redis that ${state}`, async () => {
        const line = await firstLine(`${scheme}://${user}:${password}@${await startRejectingRedis(reply)}`)
        expect(JSON.parse(line)).toMatchObject({ level: 'warn', err: { message: expect.any(String) } })
        expect(line).not.toContain(password)
      })

test('an error in the log keeps its message, stack, code and cause, without commands at any depth', async () => {
  const command = { name: 'auth', args: [password] }
  const cause = Object.assign(new Error('inner'), { command })
  const error = Object.assign(new Error('outer', { cause }), {
    code: 'E_OUTER',
    command,
    lastNodeError: Object.assign(new Error('node'), { command }),
    previousErrors: [Object.assign(new Error('earlier'), { command })],
  })
  let line = ''
  createLog('gateway', 'info', { write: (text) => (line = text) }).warn({ err: error }, 'failed')
  expect(JSON.parse(line).err).toMatchObject({
    message: 'outer: inner',
    code: 'E_OUTER',
    stack: expect.stringContaining('caused by: Error: inner'),
    lastNodeError: { message: 'node' },
    previousErrors: [{ message: 'earlier' }],
  })
  expect(line).not.toContain(password)
})

/** @returns what the log has of an error */
function logged(error: unknown): Record<string, unknown> {
  let line = ''
  createLog('gateway', 'info', { write: (text) => (line = text) }).warn({ err: error }, 'failed')
  return JSON.parse(line).err
}

// ioredis rejects all commands of a transaction with one error, and lists it as its own cause.
test('the error of a transaction that Redis dropped is logged, though it contains itself', async () => {
  const server = await startPrivateRedis()
  const client = connectRedis(server.url, createLog('gateway', 'error'))
  try {
    await once(client, 'ready')
    server.pause()
    const dropped = client
      .multi()
      .set('key', 1)
      .exec()
      .then(
        () => undefined,
        (rejection: unknown) => rejection,
      )
    await server.kill()
    const error = (await dropped) as { previousErrors: unknown[] }
    expect(error.previousErrors).toContain(error)
    expect(logged(error)).toMatchObject({ previousErrors: ['[circular]', '[circular]'] })
  } finally {
    client.disconnect()
    await server.stop()
  }
})

test('members that lead back, or lead too deep, are cut', () => {
  const socket: Record<string, unknown> = { port: 1 }
  socket.parser = { socket }
  expect(logged(Object.assign(new Error('lost'), { socket }))).toMatchObject({
    socket: { port: 1, parser: { socket: '[circular]' } },
  })
  let chain: object = {}
  for (let depth = 0; depth < 100_000; depth++) chain = { next: chain }
  expect(logged(Object.assign(new Error('deep'), { chain }))).toMatchObject({ message: 'deep' })
})

test('one error in two members is logged in both', () => {
  const inner = new Error('inner')
  expect(logged(Object.assign(new Error('outer'), { errors: [inner, inner] }))).toMatchObject({
    aggregateErrors: [{ message: 'inner' }, { message: 'inner' }],
  })
})
