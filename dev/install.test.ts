import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const locked = {
  '': {},
  'node_modules/needed': { integrity: 'sha512-needed' },
  'node_modules/other-platform': { integrity: 'sha512-other', optional: true },
}

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gatehouse-install-'))
  mkdirSync(join(root, 'dev'))
  cpSync(fileURLToPath(new URL('./install.js', import.meta.url)), join(root, 'dev/install.js'))
  write('package.json', '{ "type": "module" }')
  write('package-lock.json', JSON.stringify({ packages: locked }))
})

afterEach(() => rmSync(root, { recursive: true }))

function write(path: string, content: string): string {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

function writeInstalled(packages: Record<string, object>): void {
  write('node_modules/.package-lock.json', JSON.stringify({ packages }))
}

/** An npm that notes how it was called, and then does what `code` says. */
function install(code = '', folder?: string) {
  const npm = write(
    'npm/npm-cli.js',
    `require('fs').writeFileSync('called', process.argv.slice(2).join(' '));${code}`,
  )
  write('npm/package.json', '{ "type": "commonjs" }')
  const env = { ...process.env, npm_execpath: npm, npm_node_execpath: process.execPath }
  const command = [join(root, 'dev/install.js'), ...(folder ? [folder] : [])]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { env, encoding: 'utf8' })
  const called = join(root, folder ?? '', 'called')
  return { status, stdout, stderr, npm: existsSync(called) ? readFileSync(called, 'utf8') : undefined }
}

test('with all packages installed, except optional ones of other platforms, it does nothing and prints nothing', () => {
  writeInstalled({ 'node_modules/needed': { integrity: 'sha512-needed' } })
  expect(install()).toEqual({ status: 0, stdout: '', stderr: '', npm: undefined })
})

test('with nothing installed, it installs the packages of package-lock.json', () => {
  const { status, stdout, npm } = install()
  expect(npm).toMatch(/^ci .*--ignore-scripts/)
  expect(stdout).toMatch(/^Installing the packages .*\nInstalled in \d+\.\d s\.\n$/)
  expect(status).toBe(0)
})

test('where a package is missing, it installs', () => {
  writeInstalled({})
  expect(install().npm).toMatch(/^ci /)
})

test('where a package is another version, it installs', () => {
  writeInstalled({ 'node_modules/needed': { integrity: 'sha512-older' } })
  expect(install().npm).toMatch(/^ci /)
})

test('a folder with a lock file is installed in that folder, whatever is missing elsewhere', () => {
  write('more/package-lock.json', JSON.stringify({ packages: locked }))
  const { status, stdout, npm } = install('', 'more')
  expect(npm).toMatch(/^ci /)
  expect(stdout).toContain('more/package-lock.json')
  expect(status).toBe(0)
})

test('where npm fails, it ends with its code and a sentence', () => {
  const { status, stderr } = install('process.exit(7)')
  expect(stderr).toBe('The packages could not be installed: npm ci ended with code 7.\n')
  expect(status).toBe(7)
})

test('a pinned Node that cannot run here is taken out of the way of the one on the PATH', () => {
  const node = write('pinned', '#!/no/such/loader\n')
  chmodSync(node, 0o755)
  const link = join(root, 'node_modules/.bin/node')
  const { status } = install(`
    fs = require('fs'); fs.mkdirSync('node_modules/.bin', { recursive: true }); fs.symlinkSync('${node}', '${link}')`)
  expect(existsSync(link)).toBe(false)
  expect(status).toBe(0)
})
