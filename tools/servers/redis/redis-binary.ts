import { findProgram, type Program } from '../programs/find-program.ts'

/**
 * The Redis or Valkey server of this machine, else the one that the system's package manager
 * fetches.
 *
 * @throws Error with what to install or set where there is none to be had
 */
export async function findRedisBinary(): Promise<Program> {
  try {
    return await findProgram({
      names: ['redis-server', 'valkey-server'],
      apt: 'redis-server',
      homebrew: 'redis',
    })
  } catch (cause) {
    throw new Error(
      'The tests need a Redis server: there is no redis-server or valkey-server on the PATH, and none could be fetched by ' +
        'apt-get or Homebrew. Install one (a test stops and starts its own, so TEST_REDIS_URL alone is not enough).',
      { cause },
    )
  }
}

/** A Valkey server of this machine, or a fetched one; undefined where there is none to be had. */
export async function findValkeyBinary(): Promise<Program | undefined> {
  try {
    return await findProgram({ names: ['valkey-server'], apt: 'valkey-server', homebrew: 'valkey' })
  } catch {
    return undefined
  }
}
