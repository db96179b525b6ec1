import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http'
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { createNodeServerOptions } from '../../../gateway/adapters/node/node-server.ts'
import { createUpstreams, type UpstreamsOptions } from '../../../gateway/adapters/node/upstream/pools.ts'
import { createDispatchers } from '../../../gateway/adapters/node/upstream/undici-transport.ts'
import { createHttpServer, type ServerOptions } from '../../../shared/node/http/http-server.ts'
import { importNodeSigner, importNodeVerifier } from '../../../shared/node/keys.ts'
import { createGatewayHarness, type GatewayHarnessOptions } from './gateway-harness.ts'

const closers: (() => Promise<unknown> | unknown)[] = []

/** Stops all servers and sockets of this file's functions; for `afterEach` or `afterAll`. */
export async function closeSockets(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close()
}

/** Listens on a free port of 127.0.0.1. */
export async function listen(server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => {
    if ('closeAllConnections' in server) (server as Server).closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

interface SocketHarnessOptions extends Omit<GatewayHarnessOptions, 'upstream'> {
  /** The port of the demo upstream. */
  upstreamPort: number
  /** Of the connections to upstreams. */
  pools?: Partial<UpstreamsOptions>
  /** Of the server. */
  deadlines?: ServerOptions['deadlines']
  stallSeconds?: number
  /** Time a client may pause inside its body. */
  uploadIdleMs?: number
}

/** A gateway on a socket of its own, with the real transport to an upstream on another. */
export async function startGateway({
  upstreamPort,
  pools,
  deadlines,
  stallSeconds,
  uploadIdleMs,
  ...options
}: SocketHarnessOptions) {
  const upstreams = createUpstreams({ maxAgeMs: 60_000, ...pools })
  const dispatchers = createDispatchers(60_000)
  const harness = await createGatewayHarness({
    ...options,
    environment: {
      UPSTREAMS: JSON.stringify({ reports: `http://127.0.0.1:${upstreamPort}` }),
      ...options.environment,
    },
    defer: setImmediate,
    importVerifier: importNodeVerifier,
    importSigner: importNodeSigner,
  })
  let isStopping = false
  const { serverOptions, streams } = createNodeServerOptions({
    config: {
      ...harness.config,
      ...(stallSeconds !== undefined && { CLIENT_STALL_SECONDS: stallSeconds }),
      ...(uploadIdleMs !== undefined && { UPLOAD_IDLE_SECONDS: uploadIdleMs / 1000 }),
    },
    gateway: harness,
    pages: new Map(),
    upstreams,
    dispatchers,
    isStopping: () => isStopping,
    checkMs: 50,
  })
  const server = createHttpServer({
    ...serverOptions,
    deadlines: { ...serverOptions.deadlines, ...deadlines },
  })
  const port = await listen(server)
  closers.push(upstreams.close, () => dispatchers.close())
  const setStopping = (value: boolean) => {
    isStopping = value
  }
  return { ...harness, port, server, streams, setStopping }
}

/** An upstream on Node's own server, and a gateway before it. */
export async function startGatewayWithUpstream(
  listener: RequestListener,
  options: Omit<SocketHarnessOptions, 'upstreamPort'> = {},
) {
  const upstream = createServer(listener)
  const upstreamPort = await listen(upstream)
  return { ...(await startGateway({ ...options, upstreamPort })), upstream, upstreamPort }
}

/** Writes raw bytes and returns all received bytes until the other end closes. */
export async function exchange(port: number, bytes: string | Buffer): Promise<string> {
  const socket = await openSocket(port)
  socket.write(bytes)
  return text(socket)
}

/**
 * Writes bytes as they are and gives back the first response alone, by its Content-Length: the
 * connection stays open.
 */
export async function exchangeOpen(port: number, bytes: string | Buffer): Promise<string> {
  const socket = await openSocket(port)
  socket.write(bytes)
  let answer = ''
  for await (const piece of socket) {
    answer += (piece as Buffer).toString('latin1')
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(answer)?.[1]
    if (answer.includes('\r\n\r\n') && bodyOf(answer).length >= Number(length ?? 0)) break
  }
  socket.destroy()
  return answer
}

/**
 * Writes everything before it reads anything, as Python's http.client and other clients do.
 *
 * @throws Error where the other end closed the connection before it had all, or reset it
 */
export async function writeThenRead(port: number, ...pieces: (string | Buffer)[]): Promise<string> {
  const socket = await openSocket(port)
  socket.pause()
  for (const piece of pieces)
    await new Promise<void>((resolve, reject) => {
      socket.write(piece, (error) => (error ? reject(error) : resolve()))
    })
  return text(socket)
}

/** A connection of a client that tidies nothing up. */
export async function openSocket(port: number, { allowHalfOpen = false } = {}): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen })
  socket.on('error', () => {})
  closers.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

interface AskOptions {
  method?: string
  path?: string
  headers?: Record<string, string | string[]>
  body?: string | Buffer
}

/** Asks over Node's own client, which decodes nothing; resolves with the answer's head. */
export async function ask(port: number, { path = '/open', body, ...options }: AskOptions = {}) {
  const asked = request({ port, host: '127.0.0.1', path, agent: false, ...options })
  asked.on('error', () => {})
  asked.end(body)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return answer
}

/** The status of an answer as it stands on the wire. */
export const statusOf = (answer: string) => Number(answer.slice(9, 12))

/** The body of an answer as it stands on the wire. */
export const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)
