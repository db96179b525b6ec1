import type { Duplex } from 'node:stream'

/** How long a client may go on sending what nobody wants. */
const lingerMs = 2000

/**
 * Writes the last of a connection and closes it. What still comes is read and dropped for a moment: where it met a closed socket, the client could lose
 * what was written before (RFC 9112, section 9.6).
 */
export function endSocket(socket: Duplex, rest = ''): void {
  const cut = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(cut))
  socket.resume()
  socket.end(rest)
}
