import { once } from 'node:events'
import { request } from 'node:http'
import { buffer, text } from 'node:stream/consumers'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { postRow } from '../support/gateway/gateway-harness.ts'
import {
  ask,
  bodyOf,
  closeSockets,
  exchange,
  startGatewayWithUpstream,
  statusOf,
} from '../support/gateway/sockets.ts'

afterEach(closeSockets)

/** Above the cap up to which a body is gathered before the upstream is asked. */
const streamedBytes = 1024 ** 2
const streaming = { policy: [{ ...postRow, body_bytes: streamedBytes }] }

describe('request bodies', () => {
  /** An upstream that acts only on a body that it has to its end. */
  async function startReceiver(bodyBytes: number) {
    const acted: string[] = []
    let asked = 0
    const gatewayWithUpstream = await startGatewayWithUpstream(
      async (incoming, response) => {
        asked++
        incoming.on('error', () => {})
        try {
          acted.push(await text(incoming))
          response.end('done')
        } catch {
          // Cut short: a handler that reads its whole body first never gets to act.
        }
      },
      { policy: [{ ...postRow, body_bytes: bodyBytes }] },
    )
    return { ...gatewayWithUpstream, acted, asked: () => asked }
  }

  const chunked = (...chunks: string[]) =>
    `POST /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks
      .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
      .join('')}0\r\n\r\n`

  test('413 body_too_large: by Content-Length, before a byte is read or the upstream is called', async () => {
    const { port, acted, asked } = await startReceiver(10)
    const answer = await exchange(
      port,
      'POST /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 11\r\n\r\n',
    )
    expect(statusOf(answer)).toBe(413)
    expect(JSON.parse(bodyOf(answer))).toMatchObject({ code: 'body_too_large', limit_bytes: 10 })
    expect(asked()).toBe(0)
    expect(acted).toEqual([])
  })

  // A body of unknown length is the way around a check of Content-Length.
  test('413 body_too_large: chunked, and the upstream never has the body to act on', async () => {
    const { port, acted } = await startReceiver(10)
    for (const chunks of [['0123456789a'], ['01234', '56789', 'a'], ['0123456789', 'a'.repeat(100_000)]]) {
      const answer = await exchange(port, chunked(...chunks))
      expect(statusOf(answer)).toBe(413)
      expect(JSON.parse(bodyOf(answer)).code).toBe('body_too_large')
    }
    expect(acted).toEqual([])
  })

  test('200: chunked, of exactly the cap', async () => {
    const { port, acted } = await startReceiver(10)
    expect(statusOf(await exchange(port, chunked('01234', '56789')))).toBe(200)
    expect(acted).toEqual(['0123456789'])
  })

  test('a client that leaves in the middle of its body leaves the upstream nothing to act on', async () => {
    const { port, acted, asked } = await startReceiver(streamedBytes)
    const asking = request({ port, host: '127.0.0.1', method: 'POST', path: '/open', agent: false })
    asking.on('error', () => {})
    asking.write('half of it')
    await expect.poll(asked).toBe(1)
    asking.destroy()
    await exchange(port, chunked('whole'))
    expect(acted).toEqual(['whole'])
  })

  // The unread rest of the body would precede the next request.
  test('a response that comes before the body ends the connection', async () => {
    const early = await startGatewayWithUpstream((_request, response) => response.end('early'), {
      policy: [{ ...postRow, body_bytes: 10_000_000 }],
    })
    const answer = await exchange(
      early.port,
      `POST /open HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n${'a'.repeat(500_000)}`,
    )
    expect(statusOf(answer)).toBe(200)
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
  })

  test('stream: the upstream has the first chunk before the client has sent the last', async () => {
    const firstChunk = Promise.withResolvers<string>()
    const { port } = await startGatewayWithUpstream((incoming, response) => {
      incoming.once('data', (chunk) => firstChunk.resolve(String(chunk)))
      incoming.on('end', () => response.end())
    }, streaming)
    const asking = request({ port, host: '127.0.0.1', method: 'POST', path: '/open', agent: false })
    asking.write('first')
    expect(await firstChunk.promise).toBe('first')
    asking.end('last')
    await once(asking, 'response')
  })
})

describe('responses', () => {
  test('stream: the first chunk arrives before the upstream has ended', async () => {
    const mayEnd = Promise.withResolvers<void>()
    const { port } = await startGatewayWithUpstream(async (_request, response) => {
      response.write('first')
      await mayEnd.promise
      response.end('last')
    })
    const answer = await ask(port)
    const chunks = answer[Symbol.asyncIterator]()
    expect(String((await chunks.next()).value)).toBe('first')
    mayEnd.resolve()
    expect(String((await chunks.next()).value)).toBe('last')
  })

  test('stream: server-sent events one by one, and their head before any of them', async () => {
    const steps = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { port } = await startGatewayWithUpstream(async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      for (const [index, step] of steps.entries()) {
        await step.promise
        response.write(`data: ${index}\n\n`)
      }
    })
    const answer = await ask(port)
    expect(answer.headers['content-type']).toBe('text/event-stream')
    const events = answer[Symbol.asyncIterator]()
    for (const [index, step] of steps.entries()) {
      step.resolve()
      expect(String((await events.next()).value)).toBe(`data: ${index}\n\n`)
    }
    answer.destroy()
  })

  test('encoded bodies pass untouched, with their encoding, length and ETag', async () => {
    for (const [encoding, bytes] of [
      ['gzip', gzipSync('x'.repeat(5000))],
      ['br', brotliCompressSync('x'.repeat(5000))],
      // The gateway does not decode bodies, so it does not notice that this is no gzip.
      ['gzip', Buffer.from('not gzip')],
    ] as const) {
      const { port } = await startGatewayWithUpstream((_request, response) => {
        response.writeHead(200, { 'content-encoding': encoding, 'content-length': bytes.length, etag: '"1"' })
        response.end(bytes)
      })
      const answer = await ask(port)
      expect(answer.headers).toMatchObject({
        'content-encoding': encoding,
        'content-length': String(bytes.length),
        etag: '"1"',
      })
      expect((await buffer(answer)).equals(bytes)).toBe(true)
    }
  })

  test('10 MB arrive whole', async () => {
    const bytes = Buffer.alloc(10_000_000, 'gatehouse')
    const { port } = await startGatewayWithUpstream((_request, response) => response.end(bytes))
    expect((await buffer(await ask(port))).equals(bytes)).toBe(true)
  })

  test('HEAD keeps Content-Length, and has no body', async () => {
    const { port } = await startGatewayWithUpstream((_request, response) => {
      response.writeHead(200, { 'content-length': 5000 })
      response.end()
    })
    const answer = await exchange(port, 'HEAD /open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(answer).toMatch(/\r\ncontent-length: 5000\r\n/i)
    expect(bodyOf(answer)).toBe('')
  })

  test.each([204, 304])('%i has no body, and the connection goes on', async (status) => {
    const { port } = await startGatewayWithUpstream((_request, response) => {
      response.writeHead(status, { etag: '"1"' })
      response.end()
    })
    const asked = 'GET /open HTTP/1.1\r\nHost: x\r\n\r\n'
    const answers = await exchange(
      port,
      `${asked}${asked.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')}`,
    )
    const heads = answers.split(/(?=HTTP\/1\.1 )/)
    expect(heads.map(statusOf)).toEqual([status, status])
    for (const head of heads) {
      expect(bodyOf(head)).toBe('')
      expect(head).toContain('etag: "1"')
    }
  })
})
