import { existsSync, globSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { cachedFolder } from './cache-folder.ts'
import { run } from './run.ts'

export interface RedisBinary {
  command: string
  env: NodeJS.ProcessEnv
}

const names = ['redis-server', 'valkey-server']

/**
 * The Redis or Valkey server of this machine, else the one that the system's package manager fetches.
 *
 * @throws Error with what to install or set where there is none to be had
 */
export async function findRedisBinary(): Promise<RedisBinary> {
  const found = findOnPath()
  if (found) return found
  try {
    if (process.platform === 'darwin') return await installWithHomebrew()
    if (process.platform === 'linux') return await unpackWithApt()
  } catch (error) {
    throw noRedis(error)
  }
  throw noRedis()
}

function findOnPath(): RedisBinary | undefined {
  const command = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path))
  return command === undefined ? undefined : { command, env: process.env }
}

function noRedis(cause?: unknown): Error {
  return new Error(
    'The tests need a Redis server: there is no redis-server or valkey-server on the PATH, and none could be fetched by ' +
      'apt-get or Homebrew. Install one (a test stops and starts its own, so TEST_REDIS_URL alone is not enough).',
    { cause },
  )
}

/** Homebrew installs the program and starts no service. */
async function installWithHomebrew(): Promise<RedisBinary> {
  process.stdout.write('No Redis server found: Homebrew installs redis for the tests.\n')
  await run('brew', ['install', 'redis'])
  return {
    command: join((await run('brew', ['--prefix', 'redis'])).trim(), 'bin', 'redis-server'),
    env: process.env,
  }
}

/**
 * Has apt-get fetch the packages that an installation would need, and unpacks them into the cache instead. That takes no
 * root, and leaves the system as it was, without the service that the package's installation starts.
 */
async function unpackWithApt(): Promise<RedisBinary> {
  const root = await cachedFolder('redis-server', async (target) => {
    process.stdout.write('No Redis server found: apt-get fetches redis-server for the tests.\n')
    const work = join(target, 'apt')
    await download(work)
    for (const archive of globSync(join(work, 'archives', '*.deb')))
      await run('dpkg-deb', ['-x', archive, target])
    await rm(work, { recursive: true })
  })
  const libraries = globSync(join(root, '{usr/,}lib/*-linux-*')).join(delimiter)
  return { command: join(root, 'usr/bin/redis-server'), env: { ...process.env, LD_LIBRARY_PATH: libraries } }
}

/** The system's package lists may be missing, or too old for what the archive still has: then we use lists of our own. */
async function download(work: string): Promise<void> {
  await mkdir(join(work, 'archives/partial'), { recursive: true })
  await mkdir(join(work, 'lists/partial'), { recursive: true })
  const inOurFolder = [`Dir::Cache=${work}`, 'Debug::NoLocking=true', 'APT::Sandbox::User=root']
  const install = ['install', '--download-only', '--yes', '--no-install-recommends', 'redis-server']
  try {
    await aptGet(install, inOurFolder)
  } catch {
    const ownLists = [...inOurFolder, `Dir::State::Lists=${join(work, 'lists')}`]
    await aptGet(['update'], ownLists)
    await aptGet(install, ownLists)
  }
}

async function aptGet(args: string[], settings: string[]): Promise<void> {
  await run('apt-get', [...args, ...settings.flatMap((setting) => ['-o', setting])])
}
