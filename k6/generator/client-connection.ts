import { connect } from 'node:net'

/** Latin-1, so that a character is a byte; undefined where the connection ended before its end. */
export type OnResponse = (status: number | undefined, response: string) => void

export interface ClientConnection {
  /** One at a time. */
  send(request: string, onResponse: OnResponse): void
  destroy(): void
}

interface ClientConnectionOptions {
  hostname: string
  port: number
  /** It will carry no further request. */
  onClose: () => void
}

/**
 * A connection that sends whole requests and reads whole responses, by content-length or chunked,
 * and nothing more of HTTP: the generator must cost little beside what it measures.
 */
export function createClientConnection({
  hostname,
  port,
  onClose,
}: ClientConnectionOptions): ClientConnection {
  let received = ''
  let due: OnResponse | undefined

  function finish(status: number | undefined): void {
    const [onResponse, response] = [due, received]
    due = undefined
    received = ''
    onResponse?.(status, response)
  }

  const socket = connect({
    host: hostname,
    port,
    noDelay: true,
    // Without the stream's own buffers and events, a fifth cheaper.
    onread: {
      buffer: readBuffer,
      callback(bytes, buffer) {
        const chunk = (buffer as Buffer).toString('latin1', 0, bytes)
        received = received === '' ? chunk : received + chunk
        if (isWhole(received)) finish(statusOf(received))
        return true
      },
    },
  })
  // A reset: 'close' follows.
  socket.on('error', () => {})
  socket.on('close', () => {
    onClose()
    finish(undefined)
  })

  return {
    send(request, onResponse) {
      due = onResponse
      socket.write(request, 'latin1')
    },
    destroy: () => void socket.destroy(),
  }
}

/** Of all connections: each reads it before the next one fills it. */
const readBuffer = Buffer.allocUnsafe(65_536)

const headEnd = '\r\n\r\n'
const lastChunk = '\r\n0\r\n\r\n'
const contentLength = /\r\ncontent-length: *(\d+)/i

const statusOf = (response: string) => Number(response.slice(9, 12))

function isWhole(response: string): boolean {
  const end = response.indexOf(headEnd)
  if (end === -1) return false
  const length = contentLength.exec(response)?.[1]
  // A body of JSON, which has no bare line breaks, contains no last chunk of its own.
  if (length === undefined) return statusOf(response) === 204 || response.endsWith(lastChunk)
  return response.length - end - headEnd.length >= Number(length)
}
