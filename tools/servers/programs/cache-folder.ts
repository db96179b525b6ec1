import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Downloads that tests keep, ignored by git. */
const cacheFolder = fileURLToPath(new URL('../../../.cache/', import.meta.url))

/**
 * The folder of that name in the cache. Where it is missing, `fill` fills a temporary one, which is
 * then renamed, so that a named folder is complete. Of two processes at once, the first to rename
 * wins.
 */
export async function cachedFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder, name)
  if (existsSync(folder)) return folder
  await mkdir(cacheFolder, { recursive: true })
  const unfinished = await mkdtemp(`${folder}.`)
  try {
    await fill(unfinished)
    // Programs in it may run as another user.
    await chmod(unfinished, 0o755)
    await rename(unfinished, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return folder
}
