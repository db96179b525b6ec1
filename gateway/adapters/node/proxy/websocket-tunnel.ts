import type { Socket } from 'node:net'
import type { Dispatcher } from 'undici'
import type { RawHeaders } from '../../../../shared/http/headers.ts'
import type { Admission } from '../../../decision/admission.ts'
import { AssertionRejected, isAssertionRejected } from '../../../http/assertion-rejection.ts'
import { closeCodeOf } from '../../../http/stream-end.ts'
import { TransportError } from '../../../ports.ts'
import type { EndStream } from './stream-registry.ts'
import { ClosableFrames } from './websocket-frames.ts'
import { handshakeFault, type ParsedHeaders } from './websocket-handshake.ts'

interface TunnelOptions {
  /** The client's socket. */
  socket: Socket
  /** Bytes that the client has sent behind its handshake. */
  head: Buffer
  admission: Admission
  dispatcher: Dispatcher
  /**
   * Writes the head of the upstream's response to the client.
   * @param headers names and values in turn
   * @param end ends the WebSocket that a 101 opens
   */
  respond: (status: number, headers: RawHeaders, end?: EndStream) => void
  /** Called once where the upstream gave no response. */
  reject: (error: unknown) => void
}

const keepAliveMs = 30_000

/**
 * Requests a WebSocket from the upstream. A 101 joins both sockets; any other response goes to the
 * client.
 */
export function openTunnel(options: TunnelOptions): void {
  const { socket, head, admission, dispatcher, respond, reject } = options
  const { decision, baseUrl, headers } = admission
  let controller: Dispatcher.DispatchController | undefined
  let isOver = false
  /** Whether the head of the upstream's response has gone to the client. */
  let hasBegun = false

  function fail(error: TransportError | AssertionRejected): void {
    if (isOver) return
    isOver = true
    clearTimeout(deadline)
    reject(error)
  }

  const deadline = setTimeout(() => {
    fail(new TransportError('timeout', new Error('no answer before the deadline')))
    controller?.abort(new Error('no answer before the deadline'))
  }, decision.row.deadline_seconds * 1000)
  socket.on('close', () => {
    fail(new TransportError('client_left', undefined))
    controller?.abort(new Error('the client left'))
  })

  function begin(status: number, parsed: ParsedHeaders, end?: EndStream): void {
    isOver = true
    hasBegun = true
    clearTimeout(deadline)
    respond(status, toRawHeaders(parsed), end)
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started
      if (isOver) started.abort(new Error('nobody waits any more'))
    },
    onRequestUpgrade(_, status, parsed, upstream) {
      controller = undefined
      upstream.on('error', () => {})
      upstream.on('close', () => admission.leaveUpstream())
      const fault = handshakeFault(headers, parsed)
      if (fault === undefined && !isOver) {
        begin(status, parsed, join(socket, upstream as Socket, head))
        return
      }
      upstream.destroy()
      fail(new TransportError('unreachable', new Error(`the 101 opens no WebSocket: ${fault}`)))
    },
    onResponseStart(from, status, parsed) {
      if (isAssertionRejected(status, toRawHeaders(parsed))) {
        fail(new AssertionRejected(decision.row.upstream))
        from.abort(new Error('the assertion was refused'))
      } else if (status >= 200) begin(status, parsed)
    },
    onResponseData(from, chunk) {
      if (socket.write(chunk)) return
      from.pause()
      socket.once('drain', () => from.resume())
    },
    onResponseEnd() {
      controller = undefined
      admission.leaveUpstream()
      socket.destroySoon()
    },
    onResponseError(_, error) {
      admission.leaveUpstream()
      // The response ends with its connection: only a reset shows that a part is missing.
      if (hasBegun) socket.resetAndDestroy()
      else fail(new TransportError('unreachable', error))
    },
  }
  dispatcher.dispatch(
    {
      origin: baseUrl,
      path: decision.target,
      method: 'GET',
      headers,
      upgrade: 'websocket',
      headersTimeout: 0,
      bodyTimeout: decision.row.idle_seconds * 1000,
    },
    handler,
  )
}

/**
 * The end of one socket ends the other, after the bytes that were sent before it.
 *
 * @returns ends both by a Close frame with the reason. The client then closes its side; one that
 * does not is cut off by the second call
 */
function join(client: Socket, upstream: Socket, head: Buffer): EndStream {
  let isEnding = false
  const frames = new ClosableFrames()
  for (const socket of [client, upstream]) socket.setNoDelay(true).setKeepAlive(true, keepAliveMs)
  if (head.length > 0) upstream.write(head)
  client.pipe(upstream)
  upstream.pipe(frames).pipe(client)
  client.on('close', () => upstream.destroySoon())
  upstream.on('close', () => {
    if (!isEnding) client.destroySoon()
  })

  function leaveUpstream(): void {
    upstream.unpipe(frames)
    client.unpipe(upstream)
    // The client's Close frame is read, so that the connection can end.
    client.resume()
    upstream.destroy()
  }

  return function end(reason) {
    if (isEnding) client.destroy()
    else frames.closeWith(closeCodeOf(reason), reason, leaveUpstream)
    isEnding = true
  }
}

/** Names and values in turn. */
const toRawHeaders = (parsed: ParsedHeaders): RawHeaders =>
  Object.entries(parsed).flatMap(([name, value = []]) => [value].flat().flatMap((one) => [name, one]))
