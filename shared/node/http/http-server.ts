import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { type ErrorCode, formatProblem, Problem } from '../../http/errors.ts'
import type { RawHeaders } from '../../http/headers.ts'
import { requestIdFrom } from '../../http/request-id.ts'
import { rawHead } from './format-head.ts'
import { toOriginForm } from './origin-form.ts'
import { createPipelines } from './pipelining.ts'
import { problemHeaders } from './problem-headers.ts'
import { closeInStages } from './staged-close.ts'
import { defaultStallSeconds, resetStalledClients } from './stalled-clients.ts'

/** Deadline of a head, which fits into a few packets. */
const headersSeconds = 15

/** Deadline of a whole request. */
const requestSeconds = 60

/** Interval of the check of both deadlines. */
const checkSeconds = 5

const defaultDeadlines = { headers: headersSeconds, request: requestSeconds, check: checkSeconds }

/** The most bytes of a request's head. */
export const maxHeadBytes = 16 * 1024

/** State of the server for code that reads connections in front of it. */
export interface ConnectionContext {
  /** Responds to a client that sent nothing, and closes. */
  rejectIdle: (socket: Socket) => void
  /** Whether each connection ends with its next response. */
  isStopping: () => boolean
  /** Whether each connection ends with its current request. */
  isClosing: () => boolean
  /** How long a connection is kept for its next request. */
  keepAliveSeconds: number
  /** Longest silence before the first request. */
  firstRequestSeconds: number
}

export interface ServerOptions {
  listener: RequestListener
  /** Takes the server's connections before node:http does, and may hand each over. */
  wrapConnections?: ((server: Server, context: ConnectionContext) => void) | undefined
  /**
   * Longer than the idle timeout of pools of clients, so that a request never meets a closing
   * socket.
   */
  keepAliveSeconds: number
  /**
   * Handles protocol upgrades; other requests are served as if they had no Upgrade header.
   */
  upgrade?: {
    accepts: (request: IncomingMessage) => boolean
    listener: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  }
  /** Headers of responses that the server writes itself. */
  commonHeaders?: (requestId: string) => Readonly<RawHeaders>
  /**
   * Whether each connection is to end with its next answer, so that its client goes to another
   * instance while this one still serves.
   */
  isStopping?: () => boolean
  /** In seconds. `request` is 0 where the listener bounds the time of each body itself. */
  deadlines?: Partial<typeof defaultDeadlines>
  /** Longest time a client may leave pending data unread. */
  stallSeconds?: number | undefined
}

/** A request listener for a fetch handler. */
export function fetchListener(
  fetch: (request: Request, env: HttpBindings) => Response | Promise<Response>,
): RequestListener {
  // HTTP/1.0 clients, such as health checks of some balancers, need no Host.
  return getRequestListener(fetch as (request: Request) => Response | Promise<Response>, {
    hostname: 'localhost',
  })
}

/** The problem for a request that the parser refuses. */
const parserCodes: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'too_many_fields',
  HPE_INVALID_VERSION: 'http_version_not_supported',
}

function problemOf({ code = '' }: NodeJS.ErrnoException, timeoutCode: ErrorCode = 'head_timeout'): Problem {
  return new Problem(code === 'ERR_HTTP_REQUEST_TIMEOUT' ? timeoutCode : (parserCodes[code] ?? 'bad_request'))
}

/** Why a request of another version than 1.1 is not served. */
function faultOf({ httpVersion, headers }: IncomingMessage): ErrorCode | undefined {
  if (httpVersion !== '1.0') return 'http_version_not_supported'
  // An intermediary may have framed it otherwise (RFC 9112, section 6.1).
  return headers['transfer-encoding'] === undefined ? undefined : 'bad_request'
}

/** The HTTP server of every service, not listening yet. */
export function createHttpServer({
  listener,
  wrapConnections,
  keepAliveSeconds,
  upgrade,
  commonHeaders = () => [],
  isStopping = () => false,
  deadlines: givenDeadlines,
  stallSeconds = defaultStallSeconds,
}: ServerOptions): Server {
  const deadlines = { ...defaultDeadlines, ...givenDeadlines }
  const isClosing = () => !server.listening
  const pipelines = createPipelines({ isClosing })
  /**
   * Requests whose upgrade was declined: Node does not read the bytes received with them.
   */
  const declinedUpgrades = new WeakSet<IncomingMessage>()
  /** Sockets of which nothing more can be read. */
  const unreadable = new WeakSet<Socket>()
  /** Responses to HTTP/1.0 that have not ended. */
  const unchunked = new Set<ServerResponse>()

  /**
   * A body without chunks or a length ends with its connection (RFC 9112, section 6.3): one that is
   * cut would look whole to its client if the connection was closed as usual.
   */
  function resetIfAborted({ socket }: IncomingMessage, response: ServerResponse): void {
    unchunked.add(response)
    response.on('close', () => unchunked.delete(response))
    response.destroy = () => {
      if (!response.writableFinished) socket.resetAndDestroy()
      return response
    }
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    toOriginForm(request)
    const isOlder = request.httpVersion !== '1.1'
    const fault = isOlder ? faultOf(request) : undefined
    if (fault !== undefined) {
      writeProblem(response, new Problem(fault))
      return
    }
    if (isOlder) resetIfAborted(request, response)
    // Responses to unread requests are destroyed, so that their handlers end.
    if (isOlder || declinedUpgrades.has(request) || isStopping()) response.setHeader('connection', 'close')
    listener(request, response)
  }

  const server = createServer({
    keepAliveTimeout: keepAliveSeconds * 1000,
    headersTimeout: deadlines.headers * 1000,
    requestTimeout: deadlines.request * 1000,
    connectionsCheckingInterval: deadlines.check * 1000,
    maxHeaderSize: maxHeadBytes,
    // The listener rejects a missing Host, in the same form as other rejections.
    requireHostHeader: false,
    // A request without a body is complete at once.
    optimizeEmptyRequests: true,
    shouldUpgradeCallback(request) {
      toOriginForm(request)
      const isFree = pipelines.lastOf(request.socket) === undefined
      const isTaken = isFree && request.httpVersion === '1.1' && (upgrade?.accepts(request) ?? false)
      if (!isTaken) declinedUpgrades.add(request)
      return isTaken
    },
  })
  // Node would silently drop headers beyond this count.
  server.maxHeadersCount = 0

  function formatOwnProblem(problem: Problem) {
    const requestId = requestIdFrom(undefined)
    const response = formatProblem(problem, requestId)
    return {
      status: response.status,
      body: response.body,
      headers: [...problemHeaders(response, true), ...commonHeaders(requestId)],
    }
  }

  function writeProblem(response: ServerResponse, problem: Problem): void {
    const { status, headers, body } = formatOwnProblem(problem)
    response.writeHead(status, headers as unknown as string[])
    response.end(body)
  }

  /** A response for a connection that has no response to write to, and its last. */
  function endWith(socket: Socket, problem: Problem): void {
    const { status, headers, body } = formatOwnProblem(problem)
    socket.write(rawHead(status, headers) + body)
    socket.destroySoon()
  }

  /**
   * Responds to a request with an unreadable body, in place of its listener.
   */
  function respondInstead(response: ServerResponse, problem: Problem): void {
    writeProblem(response, problem)
    // The listener may still respond, and a second head would throw.
    response.writeHead = () => response
    response.write = () => true
    response.end = () => response
  }

  function rejectConnect({ socket }: IncomingMessage): void {
    // Node has removed its listeners, and an unhandled error ends the process.
    socket.on('error', () => {})
    if (pipelines.lastOf(socket)) socket.destroy()
    else endWith(socket, new Problem('method_not_allowed', { headers: { allow: '' } }))
  }

  function rejectExpectation(_request: IncomingMessage, response: ServerResponse): void {
    writeProblem(response, new Problem('expectation_failed'))
  }

  server.on('request', (request, response) => pipelines.take(request, response, serve))
  server.on('checkExpectation', (request, response) => pipelines.take(request, response, rejectExpectation))
  server.on('connect', rejectConnect)
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const response = pipelines.lastOf(socket)
    if (error.code === 'ECONNRESET') socket.destroy()
    // The parser rejects each further chunk again, and the deadline of the request still fires.
    else if (unreadable.has(socket) || isClosingInStages(socket)) return
    else if (!socket.writable) socket.destroy()
    // Bytes after a request that ends the connection are ignored; that request is still served.
    else if (response && error.code === 'HPE_CLOSED_CONNECTION') return
    else if (!response || response.req.complete) {
      unreadable.add(socket)
      pipelines.whenFree(socket, () => endWith(socket, problemOf(error)))
    }
    // Otherwise the rest of the current request is unreadable.
    else if (response.writableEnded) socket.destroySoon()
    else if (response.headersSent) response.destroy()
    else if (pipelines.isWaiting(socket)) socket.destroy()
    else {
      unreadable.add(socket)
      respondInstead(response, problemOf(error, 'body_timeout'))
    }
  })
  if (upgrade) server.on('upgrade', upgrade.listener)
  wrapConnections?.(server, {
    isStopping,
    isClosing,
    keepAliveSeconds,
    firstRequestSeconds: deadlines.headers,
    rejectIdle: (socket) => endWith(socket, new Problem('head_timeout')),
  })
  const { closeAllConnections } = server
  server.closeAllConnections = () => {
    for (const response of unchunked) response.destroy()
    closeAllConnections.call(server)
  }
  const isClosingInStages = closeInStages(server)
  resetStalledClients(server, stallSeconds * 1000)
  return server
}
