import type { Socket } from 'node:net'
import { createMessageReader } from './message-reader.ts'
import { cleanStartup } from './startup-message.ts'

interface WatchOptions {
  /** How long the server may be silent while it owes a response. */
  silenceMs: number
  /** Called where the server is a standby or has become read-only. */
  onReadOnly: () => void
}

/** Messages of the protocol (PostgreSQL documentation, 55.7). */
const errorResponse = 'E'.charCodeAt(0)
const parameterStatus = 'S'.charCodeAt(0)
const readyForQuery = 'Z'.charCodeAt(0)
const sync = 'S'.charCodeAt(0)
const query = 'Q'.charCodeAt(0)
const idle = 'I'.charCodeAt(0)

const isWanted = (type: number) =>
  type === readyForQuery || type === errorResponse || type === parameterStatus

/** The SQLSTATE of a write to a read-only server, as a field of an error. */
const readOnlyState = 'C25006\0'

/**
 * A read-only connection of this age is closed: the name of the host may resolve to another server
 * by now. A younger one shows that it does not.
 */
const settledMs = 5000

const silent = (ms: number) =>
  Object.assign(new Error(`the database said nothing for ${ms} ms`), { code: 'ETIMEDOUT' })

const standby = () => Object.assign(new Error('the server is a standby'), { code: 'DATABASE_CONNECT_FAILED' })

/**
 * Watches a connection of the driver, which waits without limit for the response to a statement. A
 * server that vanished or stopped would block the connection for ever: the timeout of a statement
 * is enforced by the server.
 *
 * Ends the connection when a response is overdue, when the server is a standby, and after the
 * transaction in which the server reported to be read-only.
 */
export function watchConnection(socket: Socket, options: WatchOptions): void {
  const { silenceMs, onReadOnly } = options
  const openedAt = performance.now()
  let isStarted = false
  let isReady = false
  /** Statements sent and completed; the server owes the difference. */
  let asked = 0
  let answered = 0
  /** A part of a statement was sent that the server responds to before the rest. */
  let isHalfSent = false
  let isReadOnly = false

  function onMessage(type: number, body: Buffer): void {
    if (type === parameterStatus) {
      if (!isReady && body.toString('latin1') === 'in_hot_standby\0on\0') {
        onReadOnly()
        socket.destroy(standby())
      }
    } else if (type === errorResponse) {
      if (body.includes(readOnlyState) && performance.now() - openedAt > settledMs) isReadOnly = true
    } else {
      // The first follows the login, for which no statement was sent.
      if (isReady) answered++
      isReady = true
      if (isReadOnly && body[0] === idle) {
        onReadOnly()
        // The driver and its callers have to see the response first.
        setImmediate(() => socket.destroy())
      }
    }
  }

  const write = socket.write.bind(socket) as (...given: unknown[]) => boolean
  socket.write = ((chunk: Uint8Array, ...more: unknown[]) => {
    if (!isStarted) {
      isStarted = true
      return write(cleanStartup(chunk), ...more)
    }
    if (isReady) {
      const last = lastMessages(chunk)
      asked += last.statements
      isHalfSent = !last.isWhole
    }
    return write(chunk, ...more)
  }) as typeof socket.write

  const read = createMessageReader(isWanted, onMessage)
  const emit = socket.emit.bind(socket) as (name: string, ...values: unknown[]) => boolean
  socket.emit = ((name: string, ...values: unknown[]) => {
    if (name === 'data') {
      read(values[0] as Buffer)
      // The driver would log in to the standby, and end the process when its first statement fails.
      if (socket.destroyed) return true
    }
    return emit(name, ...values)
  }) as typeof socket.emit
  socket.setTimeout(silenceMs)
  // It fires on idle connections too, again and again.
  socket.on('timeout', () => {
    if (!isReady || asked > answered || isHalfSent) socket.destroy(silent(silenceMs))
  })
}

/** The kind of request in a write of the driver, which consists of whole messages. */
function lastMessages(chunk: Uint8Array): { statements: number; isWhole: boolean } {
  const messages = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  let statements = 0
  let type = 0
  for (let at = 0; at + 5 <= messages.length; at += 1 + messages.readUInt32BE(at + 1)) {
    type = messages[at] ?? 0
    if (type === sync || type === query) statements++
  }
  return { statements, isWhole: type === sync || type === query }
}
