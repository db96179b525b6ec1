import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../tools/servers/process/run.ts'
import { cachedFolder } from '../tools/servers/programs/cache-folder.ts'
import { findOnPath } from '../tools/servers/programs/find-program.ts'

/** As a Go module, which is how k6 comes to machines that have no package of it. */
const k6Module = 'go.k6.io/k6/v2'
const k6Version = 'v2.2.0'

/**
 * The k6 of this machine if it is of our major, else one built from its module into the cache.
 *
 * @returns undefined where there is neither
 */
export async function findK6(): Promise<string | undefined> {
  if (findOnPath(['k6']) && (await run('k6', ['version'])).startsWith('k6 v2.')) return 'k6'
  if (!findOnPath(['go'])) return undefined
  const folder = await cachedFolder(`k6-${k6Version}`, async (target) => {
    process.stdout.write(`Building k6 ${k6Version}, which takes some minutes ...\n`)
    const work = join(target, 'go.mod')
    // A module that asks for exactly this one: `go install` would also ask which versions there
    // are, and not every proxy says.
    await writeFile(work, `module gatehouse/k6\n\ngo 1.25\n\nrequire ${k6Module} ${k6Version}\n`)
    await run('go', ['build', '-mod=mod', '-o', join(target, 'k6'), k6Module], { cwd: target })
    await rm(work)
  })
  return join(folder, 'k6')
}
