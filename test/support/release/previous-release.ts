import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))

const git = async (...args: string[]) => (await execute('git', args, { cwd: root })).stdout.trim()

/**
 * The last commit without the newest migration: the code that serves while the migration is
 * applied.
 *
 * @returns undefined where the history does not reach that far, as in a shallow clone or an archive
 */
export async function findPreviousRelease(): Promise<string | undefined> {
  try {
    const files = (await git('ls-files', 'sql')).split('\n').filter((file) => /\/\d+\.do\./.test(file))
    const newest = files.sort().at(-1)
    if (newest === undefined) return undefined
    // A file that was renamed is older than its name.
    const added = (await git('log', '--follow', '--diff-filter=A', '--format=%H', '--', newest))
      .split('\n')
      .at(-1)
    // Not committed yet: the migration of the change at hand.
    if (!added) return await git('rev-parse', 'HEAD')
    return await git('rev-parse', '--verify', '--quiet', `${added}^`)
  } catch {
    // There is no git, no repository or no parent commit.
    return undefined
  }
}

/**
 * Unpacks the sources of a commit into a temporary folder, with the packages of this checkout.
 */
export async function unpackRelease(commit: string): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-release-'))
  const archive = join(folder, 'release.tar')
  await git('archive', '--format=tar', `--output=${archive}`, commit)
  await execute('tar', ['-xf', archive, '-C', folder])
  await rm(archive)
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return { folder, remove: () => rm(folder, { recursive: true }) }
}
