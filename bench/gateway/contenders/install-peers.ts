import { statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { run } from '../../../tools/servers/process/run.ts'

const folder = join(import.meta.dirname, '../peers')

/**
 * Installs the peers' packages by their lock file, with the npm and the Node that run this process
 * where npm started it.
 */
export async function installPeers(): Promise<void> {
  if (isInstalled()) return
  process.stdout.write('Installing the peers ...\n')
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const { npm_execpath: npm = '', npm_node_execpath: node = process.execPath } = process.env
  if (basename(npm) === 'npm-cli.js') await run(node, [npm, ...args], { cwd: folder })
  else await run('npm', args, { cwd: folder })
}

/** npm writes node_modules/.package-lock.json when all is there. */
function isInstalled(): boolean {
  const changedAt = (file: string) => statSync(join(folder, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  return changedAt('node_modules/.package-lock.json') >= changedAt('package-lock.json')
}
