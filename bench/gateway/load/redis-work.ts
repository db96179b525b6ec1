import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

/**
 * A line of MONITOR for a command that a script called: the client is "lua" instead of an address.
 */
const fromScript = /^\+[\d.]+ \[\d+ lua\]/

/**
 * By a socket of our own: ioredis's monitor takes what comes while it closes for the answers of
 * commands.
 *
 * @returns the commands that clients sent while the work went on; what scripts called is no command
 *   of theirs
 */
export async function countCommands(url: string, work: () => Promise<unknown>): Promise<number> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  const lines = createInterface(socket)
  socket.write('MONITOR\r\n')
  await once(lines, 'line')
  let commands = 0
  lines.on('line', (line) => {
    if (!fromScript.test(line)) commands++
  })
  try {
    await work()
    return commands
  } finally {
    socket.destroy()
  }
}
