import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { type ErrorCode, Problem, problemAnswer } from '../errors.ts'
import type { Log } from '../log.ts'
import { requestIdFrom } from '../request-id.ts'
import { problemFields } from './problem-fields.ts'
import { rawHead } from './raw-head.ts'

/** A head fits into a few packets: who takes longer holds sockets open. */
const headersSeconds = 15

/** The longest a whole request may take to arrive. */
const requestSeconds = 60

/** How often connections are held against the two above. */
const checkSeconds = 5

/** A head's most bytes. */
const headBytes = 16 * 1024

interface ServerOptions {
  listener: RequestListener
  /** Kept above the idle time of whoever pools connections to us, so that a request never meets a closing socket. */
  keepAliveSeconds: number
  /** Takes requests out of HTTP, for another protocol on the same socket; all others are served as if they had not asked. */
  upgrade?: {
    takes: (request: IncomingMessage) => boolean
    listener: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  }
  /** Fields of the answers that no listener gives, names and values in turn. */
  commonFields?: (requestId: string) => readonly string[]
  /** In seconds; tests have less patience. */
  deadlines?: { headers: number; request: number; check: number }
}

interface ServeOptions extends ServerOptions {
  hostname: string
  port: number
  log: Log
  /** Told of the server when it listens. */
  onListening?: (server: Server) => void
  /** How long requests are still served after a stop signal, while balancers see that readiness is off. */
  drainDelaySeconds: number
  /** How long requests under way may take after that before their sockets are cut. */
  drainSeconds: number
  /** Called first on a stop signal: readiness goes off here. */
  onStopping: () => void
  /** Called when nothing new is served any more: what would go on for as long as its client likes ends here. */
  onDraining?: () => void
  /** Called when the last request is done: pools close here. */
  onStopped: () => Promise<void>
}

/** A listener for what takes a Request and gives a Response. */
export function fetchListener(
  fetch: (request: Request, env: HttpBindings) => Response | Promise<Response>,
): RequestListener {
  // Who asks by HTTP/1.0, as some balancers do for a service's health, need not name a host.
  return getRequestListener(fetch as (request: Request) => Response | Promise<Response>, {
    hostname: 'localhost',
  })
}

/** What the parser refuses, as a problem. */
const parserCodes: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'too_many_fields',
  ERR_HTTP_REQUEST_TIMEOUT: 'head_timeout',
}

/** The server that every service of ours runs on, not listening yet. */
export function createHttpServer({
  listener,
  keepAliveSeconds,
  upgrade,
  commonFields = () => [],
  deadlines = { headers: headersSeconds, request: requestSeconds, check: checkSeconds },
}: ServerOptions): Server {
  /** Requests that asked for another protocol and did not get it: Node reads nothing of what came in one piece with them. */
  const unheeded = new WeakSet<IncomingMessage>()
  /** The last answer under way on a socket: into one that has begun nothing else may be written. */
  const answering = new WeakMap<Socket, ServerResponse>()
  /** Answers to requests that came while another was under way on their socket. */
  const pipelined = new WeakSet<ServerResponse>()

  /** A socket that idles keeps nothing of its last request. */
  function forget(this: ServerResponse): void {
    const { socket } = this.req
    if (answering.get(socket) === this) answering.delete(socket)
  }

  const server = createServer({
    keepAliveTimeout: keepAliveSeconds * 1000,
    headersTimeout: deadlines.headers * 1000,
    requestTimeout: deadlines.request * 1000,
    connectionsCheckingInterval: deadlines.check * 1000,
    maxHeaderSize: headBytes,
    // A Host that is missing is refused by the listener, in the form of every other refusal.
    requireHostHeader: false,
    // What has no body is read to its end before anybody asks.
    optimizeEmptyRequests: true,
    shouldUpgradeCallback(request) {
      const isTaken = upgrade?.takes(request) ?? false
      if (!isTaken) unheeded.add(request)
      return isTaken
    },
  })
  // Beyond its count Node would leave fields out without a word.
  server.maxHeadersCount = 0

  function answerOf(problem: Problem) {
    const requestId = requestIdFrom(undefined)
    const answer = problemAnswer(problem, requestId)
    return {
      status: answer.status,
      body: answer.body,
      fields: [...problemFields(answer, true), ...commonFields(requestId)],
    }
  }

  function writeProblem(response: ServerResponse, problem: Problem): void {
    const { status, fields, body } = answerOf(problem)
    response.writeHead(status, fields as unknown as string[])
    response.end(body)
  }

  /** An answer for a connection that has no response to write to, and its last. */
  function rawProblem(problem: Problem): string {
    const { status, fields, body } = answerOf(problem)
    return rawHead(status, fields) + body
  }

  server.on('request', (request, response) => {
    if (answering.has(request.socket)) pipelined.add(response)
    answering.set(request.socket, response)
    response.on('close', forget)
    // Who waits for an answer to what was not read learns that there will be none.
    if (unheeded.has(request)) response.setHeader('connection', 'close')
    listener(request, response)
  })
  server.on('checkExpectation', (_request, response) => {
    writeProblem(response, new Problem('expectation_failed'))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const response = answering.get(socket)
    // The rest of its request may be what cannot be read; what came before it was answered, or will not be.
    const isFree = !response || !(response.headersSent || response.req.complete || pipelined.has(response))
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy()
    else if (isFree) socket.end(rawProblem(new Problem(parserCodes[error.code ?? ''] ?? 'bad_request')))
    else if (response.writableEnded) socket.destroySoon()
    else socket.destroy()
  })
  server.on('connect', (_request, socket) => {
    const problem = new Problem('method_not_allowed', { headers: { allow: '' } })
    socket.end(rawProblem(problem))
  })
  if (upgrade) server.on('upgrade', upgrade.listener)
  return server
}

/** Listens until SIGTERM or SIGINT, then drains and exits 0. */
export async function serveUntilStopped(options: ServeOptions): Promise<void> {
  const { log, hostname, port } = options
  const server = createHttpServer(options)

  let stopping = false
  async function stop(signal: string) {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping')
    options.onStopping()
    // Each connection ends with its next answer, so that its client goes to another instance while this one still serves.
    server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'))
    await sleep(options.drainDelaySeconds * 1000)
    const cut = setTimeout(() => {
      options.onDraining?.()
      server.closeAllConnections()
    }, options.drainSeconds * 1000)
    options.onDraining?.()
    await new Promise((resolve) => server.close(resolve))
    clearTimeout(cut)
    await options.onStopped()
    log.info({}, 'stopped')
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal))

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, hostname, resolve)
  }).catch((error: NodeJS.ErrnoException) => {
    log.error({ hostname, port, reason: error.code }, `cannot listen on ${hostname}:${port}`)
    process.exit(1)
  })
  options.onListening?.(server)
  log.info({ hostname, port }, 'listening')
}
