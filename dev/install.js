/**
 * Brings node_modules to what package-lock.json says, before `npm start` and `npm test`. So both
 * work on a fresh clone and after a pull, and cost nothing otherwise. `node dev/install.js FOLDER`
 * does so for a folder with a lock file of its own.
 *
 * Runs on the host's Node, whose version we do not choose: plain JavaScript, nothing but Node's own
 * modules.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [, , folder = '.'] = process.argv
const root = join(dirname(dirname(fileURLToPath(import.meta.url))), folder)
const pinnedNode = join(root, 'node_modules', '.bin', 'node')
const minimumNodeMajor = 24

if (!isInstalled()) await install()
if (folder === '.' && !existsSync(pinnedNode)) requireHostNode()

/**
 * npm keeps what it has installed in node_modules/.package-lock.json, written when all of it is
 * there. So an `npm ci` or `npm install` by hand needs no second one from us.
 */
function isInstalled() {
  const installedLock = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedLock)) return false
  const installed = readPackages(installedLock)
  return Object.entries(readPackages(join(root, 'package-lock.json'))).every(([path, wanted]) => {
    if (path === '') return true
    const found = installed[path]
    // Optional packages are those of other platforms, too.
    return found ? found.integrity === wanted.integrity : wanted.optional === true
  })
}

/** @returns {Record<string, { integrity?: string, optional?: boolean }>} */
function readPackages(lockFile) {
  return JSON.parse(readFileSync(lockFile, 'utf8')).packages
}

async function install() {
  process.stdout.write(
    `Installing the packages of ${join(folder, 'package-lock.json')} into node_modules ...\n`,
  )
  const startedAtMs = Date.now()
  // At a lower level npm warns that some packages want a newer Node than the host's: they get the
  // pinned one.
  const { status, signal, error } = await runNpm([
    'ci',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--loglevel=error',
  ])
  if (status !== 0) {
    const reason = error
      ? `could not be started: ${error.message}`
      : `ended with ${signal ?? `code ${status}`}`
    fail(`The packages could not be installed: npm ci ${reason}.`, status ?? 1)
  }
  removeUnusableNode()
  const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1)
  process.stdout.write(`Installed in ${seconds} s.\n`)
}

/**
 * Uses the npm that runs us, on the Node that it runs on. Another package manager's path is no npm.
 */
function runNpm(args) {
  const { npm_execpath: npm = '', npm_node_execpath: node = process.execPath } = process.env
  const options = { cwd: root, stdio: /** @type {const} */ ('inherit') }
  const child =
    basename(npm) === 'npm-cli.js'
      ? spawn(node, [npm, ...args], options)
      : spawn('npm', args, { ...options, shell: process.platform === 'win32' })
  // npm lets an interrupted install go on for a while. The next start redoes the unfinished part.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill('SIGKILL'))
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ status: null, signal: null, error }))
    child.once('exit', (status, signal) => resolve({ status, signal }))
  })
}

/**
 * A system with another C library (Alpine) gets the package, but cannot run it: its own Node must
 * be found instead.
 */
function removeUnusableNode() {
  if (existsSync(pinnedNode) && spawnSync(pinnedNode, ['--version']).status !== 0) rmSync(pinnedNode)
}

/** Without a pinned Node, the one that runs us is the one that runs everything. */
function requireHostNode() {
  if (Number.parseInt(process.versions.node, 10) >= minimumNodeMajor) return
  fail(
    `No pinned Node runs on ${process.platform}-${process.arch} here, so Node ${minimumNodeMajor} or newer is needed on the PATH; ` +
      `found ${process.versions.node}.`,
    1,
  )
}

function fail(message, code) {
  process.stderr.write(`${message}\n`)
  process.exit(code)
}
