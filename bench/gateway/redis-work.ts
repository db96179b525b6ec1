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

/** @returns the commands that clients sent while the work went on; what scripts called is no command of theirs */
export async function countCommands(url: string, work: () => Promise<unknown>): Promise<number> {
  const redis = new Redis(url)
  const monitor = await redis.monitor()
  let commands = 0
  monitor.on('monitor', (_time: string, _args: string[], source: string) => {
    if (source !== 'lua') commands++
  })
  try {
    await work()
    return commands
  } finally {
    monitor.disconnect()
    redis.disconnect()
  }
}
