import { Redis } from 'ioredis'

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
