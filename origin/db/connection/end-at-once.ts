import type { Socket } from 'node:net'

/**
 * Makes the socket emit its error and its end together. Between the two postgres.js 3.4.9 sends
 * statements to the connection, whose promises never settle.
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
