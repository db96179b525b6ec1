import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'

/** Body of `/try/gzip`: bytes that no gateway may change. */
export const zipped = gzipSync('gatehouse '.repeat(500))

/** Body of `/try/length` for a GET. */
export const statedLength = 12_345

/**
 * A conversation that a test has with this upstream through the gateway, by the last segment of its
 * path.
 */
export interface Exchange {
  /** Bytes of the request's body so far. */
  receivedBytes: number
  /** The request is here whole. */
  complete: boolean
  /** The gateway went away before the answer's end. */
  abandoned: boolean
}

/**
 * An upstream that answers in every way that a gateway may get wrong. A test reads and controls the
 * upstream around the gateway: `GET /seen/{id}` returns the state of an exchange, `POST /go/{id}`
 * lets it go on.
 */
export async function startUpstream() {
  const exchanges = new Map<string, Exchange>()
  const orders = new EventEmitter()

  function note(id: string, request: IncomingMessage, response: ServerResponse): Exchange {
    const exchange: Exchange = { receivedBytes: 0, complete: false, abandoned: false }
    exchanges.set(id, exchange)
    request.on('data', (chunk: Buffer) => {
      exchange.receivedBytes += chunk.length
    })
    request.on('end', () => {
      exchange.complete = true
    })
    request.on('error', () => {})
    response.on('close', () => {
      exchange.abandoned = !response.writableFinished
    })
    return exchange
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://upstream')
    const [, scope, kind = '', id = ''] = pathname.split('/')
    if (scope === 'seen') return answerJson(response, exchanges.get(kind) ?? null)
    if (scope === 'go') {
      orders.emit(kind)
      return answerJson(response, null)
    }
    const exchange = note(id, request, response)
    const head = request.method === 'HEAD'
    switch (kind) {
      case 'status':
        response.writeHead(Number(id), {
          location: 'http://elsewhere.example/',
          etag: '"e"',
          // Wrong for a 204, as some frameworks write it.
          ...(/204|304/.test(id) && { 'content-length': 5 }),
        })
        response.end()
        return
      case 'gzip':
        response.writeHead(200, {
          'content-type': 'text/plain',
          'content-encoding': 'gzip',
          'content-length': zipped.length,
          etag: '"zipped"',
        })
        response.end(head ? undefined : zipped)
        return
      case 'length':
        response.writeHead(200, { 'content-type': 'text/plain', 'content-length': statedLength })
        response.end(head ? undefined : 'x'.repeat(statedLength))
        return
      case 'headers':
        response.writeHead(200, [
          ...['content-type', 'application/json', 'server', 'secret/1.0', 'x-powered-by', 'secret'],
          ...[
            'access-control-allow-origin',
            '*',
            'connection',
            'x-hop',
            'x-hop',
            '1',
            'keep-alive',
            'timeout=9',
          ],
          ...[
            'set-cookie',
            'a=1; Path=/',
            'set-cookie',
            'b=2; Path=/',
            'set-cookie',
            '__Host-gatehouse_refresh=x',
          ],
          ...[
            'x-own',
            'kept',
            'gatehouse-assertion',
            'forged',
            'x-frame-options',
            'ALLOWALL',
            'cache-control',
            'max-age=60',
          ],
        ])
        response.end('{}')
        return
      case 'stream':
        response.writeHead(200, { 'content-type': 'text/plain' })
        response.write('first ')
        await once(orders, id)
        response.end('second')
        return
      case 'events':
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: 1\n\n')
        await once(orders, id)
        keepTelling(response)
        return
      case 'hold':
        return
      case 'cut':
        response.writeHead(200, { 'content-length': 100 })
        response.write('half')
        await once(orders, id)
        request.socket.destroy()
        return
      default:
        return echo(request, response, exchange)
    }
  }

  /** Tells what came, once all of it is here. */
  async function echo(request: IncomingMessage, response: ServerResponse, exchange: Exchange): Promise<void> {
    const hash = createHash('sha256')
    try {
      for await (const chunk of request) hash.update(chunk as Buffer)
    } catch {
      // Cut short: an upstream acts only on a body that it has whole.
      return
    }
    const { method, url, rawHeaders } = request
    const seen = { method, url, rawHeaders, bytes: exchange.receivedBytes, sha256: hash.digest('hex') }
    answerJson(response, seen)
  }

  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Events from the second on, until nobody listens any more. */
function keepTelling(response: ServerResponse): void {
  let number = 2
  const tell = () => response.write(`data: ${number++}\n\n`)
  tell()
  const timer = setInterval(tell, 100)
  response.once('close', () => clearInterval(timer))
}

function answerJson(response: ServerResponse, content: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(content))
}
