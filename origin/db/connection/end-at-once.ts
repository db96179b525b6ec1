import type { Socket } from 'node:net'

/**
 * Has the socket report its error and its end in one go. Between the two postgres.js 3.4.9 still
 * sends statements to the connection, and then answers them never.
 */
export function endAtOnce<Ended extends Socket>(socket: Ended): Ended {
  const emit = socket.emit.bind(socket) as (name: string, ...values: unknown[]) => boolean
  let failure: unknown
  socket.emit = ((name: string, ...values: unknown[]) => {
    if (name === 'error') {
      failure ??= values[0]
      return true
    }
    if (name === 'close' && failure !== undefined) emit('error', failure)
    return emit(name, ...values)
  }) as typeof socket.emit
  return socket
}
