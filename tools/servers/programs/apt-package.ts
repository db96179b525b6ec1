import { globSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { parseEnv } from 'node:util'
import { run } from '../process/run.ts'
import { cachedFolder } from './cache-folder.ts'

/** A package's files, and the environment in which its programs find their libraries. */
export interface UnpackedPackage {
  root: string
  env: NodeJS.ProcessEnv
}

/**
 * Downloads a package and its dependencies by apt-get and unpacks them into the cache. That needs
 * no root, changes nothing in the system and starts no service.
 *
 * @param more packages that it does not need, and we do
 */
export async function unpackAptPackage(name: string, ...more: string[]): Promise<UnpackedPackage> {
  const root = await cachedFolder(name, async (target) => {
    process.stdout.write(`No ${name} found: apt-get fetches it for the tests.\n`)
    const work = join(target, 'apt')
    await download([name, ...more], work)
    for (const archive of globSync(join(work, 'archives', '*.deb')))
      await run('dpkg-deb', ['-x', archive, target])
    await rm(work, { recursive: true })
  })
  // PulseAudio keeps its own one folder deeper.
  const libraries = globSync(join(root, '{usr/,}lib/*-linux-*{,/pulseaudio}')).join(delimiter)
  return { root, env: { ...process.env, LD_LIBRARY_PATH: libraries } }
}

/**
 * The system's package lists may be missing, or too old for what the archive still has: then we use
 * lists of our own. A package that a release lacks may be in its backports.
 */
async function download(names: readonly string[], work: string): Promise<void> {
  await mkdir(join(work, 'archives/partial'), { recursive: true })
  await mkdir(join(work, 'lists/partial'), { recursive: true })
  const inOurFolder = [`Dir::Cache=${work}`, 'Debug::NoLocking=true', 'APT::Sandbox::User=root']
  const install = ['install', '--download-only', '--yes', '--no-install-recommends', ...names]
  const withOwnLists = async (settings: string[]) => {
    const ownLists = [...inOurFolder, `Dir::State::Lists=${join(work, 'lists')}`, ...settings]
    await aptGet(['update'], ownLists)
    await aptGet(install, ownLists)
  }
  const attempts = [
    () => aptGet(install, inOurFolder),
    () => withOwnLists([]),
    async () => withOwnLists(await addBackports(work)),
  ]
  const failures: unknown[] = []
  for (const attempt of attempts) {
    try {
      return await attempt()
    } catch (error) {
      failures.push(error)
    }
  }
  throw failures[1]
}

/** @returns settings by which apt-get reads the backports of this Debian beside its own sources */
async function addBackports(work: string): Promise<string[]> {
  const { ID, VERSION_CODENAME } = parseEnv(await readFile('/etc/os-release', 'utf8'))
  if (ID !== 'debian') throw new Error(`no backports are known of ${ID}`)
  const file = join(work, 'backports.list')
  const signed = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
  const archive = `http://deb.debian.org/debian ${VERSION_CODENAME}-backports main`
  await writeFile(file, `deb ${signed} ${archive}\n`)
  return [`Dir::Etc::SourceList=${file}`]
}

async function aptGet(args: string[], settings: string[]): Promise<void> {
  await run('apt-get', [...args, ...settings.flatMap((setting) => ['-o', setting])])
}
