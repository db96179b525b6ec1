import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'

/** Reads of Redis from its clients since its start: commands that came together are one, so these are the round trips. */
export async function readsOf(url: string): Promise<number> {
  const redis = new Redis(url)
  try {
    const info = await redis.info('stats')
    return Number(/^total_reads_processed:(\d+)/m.exec(info)?.[1])
  } finally {
    redis.disconnect()
  }
}

/** A line of MONITOR for a command that a script called: the client is "lua" instead of an address. */
const fromScript = /^\+[\d.]+ \[\d+ lua\]/

/**
 * By a socket of our own: ioredis's monitor takes what comes while it closes for the answers of commands.
 *
 * @returns the commands that clients sent while the work went on; what scripts called is no command of theirs
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
