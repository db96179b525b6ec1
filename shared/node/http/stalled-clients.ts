import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { MonotonicMs } from '../../lib/time.ts'

/**
 * Progress is visible in steps of what the system buffers: a socket takes more bytes when a third
 * of its send buffer is free again, up to 2 MB at the 4 MB that Linux allows it. 600 s are enough
 * for 4 KB/s.
 */
export const defaultStallSeconds = 600

/** The cut comes up to a tenth of the time late. */
const checksPerStall = 10

interface Pending {
  /** Bytes that the system has taken, and of a write under way those that it has not. */
  taken: number
  left: number
  since: MonotonicMs
}

/**
 * The progress that node:net uses in `socket.setTimeout`: without it a large write shows none
 * before its end.
 */
interface WithHandle {
  _handle?: { writeQueueSize?: number } | null
}

/**
 * Resets connections whose client does not read pending data. All sockets of the server are checked
 * alike: responses, WebSockets and event streams. Requests do no work for it.
 */
export function resetStalledClients(server: Server, stallMs: number): void {
  const sockets = new Set<Socket>()
  const pending = new Map<Socket, Pending>()
  let timer: ReturnType<typeof setInterval> | undefined

  function forget(this: Socket): void {
    sockets.delete(this)
    pending.delete(this)
    if (sockets.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  function check(): void {
    const now = performance.now()
    for (const socket of sockets) {
      if (socket.writableLength === 0) pending.delete(socket)
      else checkPending(socket, now)
    }
  }

  function checkPending(socket: Socket, now: MonotonicMs): void {
    const taken = socket.bytesWritten - socket.writableLength
    const left = (socket as Socket & WithHandle)._handle?.writeQueueSize ?? 0
    const before = pending.get(socket)
    const hasTaken = before === undefined || taken > before.taken || left < before.left
    const since = hasTaken ? now : before.since
    if (now - since >= stallMs) socket.resetAndDestroy()
    else pending.set(socket, { taken, left, since })
  }

  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', forget)
    timer ??= setInterval(check, stallMs / checksPerStall).unref()
  })
}
