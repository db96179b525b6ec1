import { chmod, copyFile, cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateSecrets } from '../../../dev/secrets.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { commandOf, environmentOf, readDockerfile, stepsOf } from '../../dockerfile.ts'
import { copySteps } from '../../image-files.ts'
import { authorityInside, createSandbox } from './sandbox.ts'
import { environmentOfContainer, readContainers, type SecretFields } from './template-task.ts'
import { startTlsStores } from './tls-stores.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const dockerfile = readDockerfile(join(root, 'Dockerfile'))
const containers = readContainers('example')

const imageOf: Record<string, string> = {
  roles: 'command',
  migrate: 'command',
  'first-key': 'command',
  origin: 'origin',
  gateway: 'gateway',
}

let folder: string
let stores: Awaited<ReturnType<typeof startTlsStores>>
let startIn: Awaited<ReturnType<typeof createSandbox>>
let secrets: SecretFields
let here: Record<string, string>
const stops: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-tasks-'))
  await chmod(folder, 0o755)
  const packages = join(folder, 'node_modules')
  await cp(join(root, 'node_modules'), packages, { recursive: true, verbatimSymlinks: true })
  for (const image of new Set(Object.values(imageOf))) {
    await copySteps(stepsOf(dockerfile, image), root, join(folder, image))
    await mkdir(join(folder, image, 'node_modules'))
  }
  stores = await startTlsStores()
  stops.push(stores.stop)
  // The user of the tasks may not read the folder of the certificates.
  const authority = join(folder, 'authority.pem')
  await copyFile(stores.caFile, authority)
  await chmod(authority, 0o644)
  startIn = await createSandbox({ folder, packages, authority })
  const { password } = stores
  const keys = await generateSecrets()
  secrets = {
    ...{ gateway: keys, origin: keys, encryption: keys },
    databaseadmin: { username: 'gatehouse_admin', password },
    databaseowner: { username: 'gatehouse_owner', password: `${password}-owner` },
    database: { username: 'gatehouse_origin', password: `${password}-origin` },
    cache: { username: 'gatehouse', password },
    mail: { username: 'mail', password },
  }
  const originPort = await findFreePort()
  // Another machine, and nothing else: what is not here is as the template says it.
  here = {
    HOST: '127.0.0.1',
    GATEWAY_PORT: `${await findFreePort()}`,
    ORIGIN_PORT: `${originPort}`,
    GATEWAY_METRICS_PORT: `${await findFreePort()}`,
    ORIGIN_METRICS_PORT: `${await findFreePort()}`,
    ORIGIN_URL: `http://127.0.0.1:${originPort}`,
    OTEL_SDK_DISABLED: 'true',
  }
})
afterAll(async () => {
  for (const stop of stops.toReversed()) await stop()
  await rm(folder, { recursive: true })
})

/** Ports of this machine, and its authority for a cache whose own is a public one. */
function atHome(environment: Record<string, string>): Record<string, string> {
  const { databasePort, cachePort } = stores
  const moved = { ...environment }
  if (moved.DATABASE_URL) moved.DATABASE_URL = moved.DATABASE_URL.replace(':5432', `:${databasePort}`)
  if (moved.REDIS_URL)
    moved.REDIS_URL = `${moved.REDIS_URL.replace(':6379', `:${cachePort}`)}?ca_file=${authorityInside}`
  return moved
}

function containerOf(name: string) {
  const container = containers[name]
  if (!container) throw new Error(`The template has no container ${name}`)
  return container
}

function start(name: string, command = containers[name]?.Command) {
  const container = containerOf(name)
  const image = imageOf[name] ?? ''
  const steps = stepsOf(dockerfile, image)
  const [, ...args] = commandOf(steps, command)
  const environment = {
    ...environmentOf(steps),
    ...atHome(environmentOfContainer(container, secrets)),
    ...here,
  }
  return startIn({ container, image, args, environment })
}

/** Prints the user of a container, its capabilities, and why it cannot write a file. */
const probe = `
const { readFileSync, writeFileSync } = require('node:fs')
const write = (path) => {
  try { writeFileSync(path, '') } catch (error) { return error.code }
  return 'written'
}
const capabilities = readFileSync('/proc/self/status', 'utf8').match(/^Cap(Eff|Bnd):.*$/gm)
console.log(JSON.stringify({
  user: [process.getuid(), process.getgid()].join(':'),
  capabilities: capabilities.map((line) => Number.parseInt(line.split(/\\s+/)[1], 16)),
  writes: ['/app/note', '/app/node_modules/note', '/tmp/note', '/note', '/usr/note'].map(write),
}))`

test.each(Object.keys(imageOf))(
  'the container %s runs as user 1000 on a read-only file system, without capabilities',
  async (name) => {
    const container = containerOf(name)
    const started = startIn({ container, image: imageOf[name] ?? '', args: ['-e', probe], environment: {} })
    expect({ code: await started.exit, errors: await started.errors }).toEqual({ code: 0, errors: '' })
    expect(JSON.parse(await started.out)).toEqual({
      user: '1000:1000',
      capabilities: [0, 0],
      writes: Array(5).fill('EROFS'),
    })
  },
)

test('tasks start as the template says: roles, migrate, first key, origin, gateway; healthy, and stopped by SIGTERM', async () => {
  for (const job of ['roles', 'migrate', 'first-key']) {
    const { exit, errors } = start(job)
    expect({ job, code: await exit, errors: await errors }).toEqual({ job, code: 0, errors: '' })
  }
  const running = ['origin', 'gateway'].map((name) => ({ name, ...start(name) }))
  for (const { signal, exit } of running)
    stops.push(async () => {
      await signal('SIGKILL').catch(() => {})
      await exit
    })
  for (const { name } of running) {
    const [form, program, ...args] = containerOf(name).HealthCheck?.Command ?? []
    expect([form, program]).toEqual(['CMD', 'node'])
    const check = (more: string[]) => start(name, ['node', ...args, ...more]).exit
    await expect.poll(() => check([]), { timeout: 60_000, interval: 500 }).toBe(0)
    await expect.poll(() => check(['/ready']), { timeout: 60_000, interval: 500 }).toBe(0)
  }
  for (const { signal } of running) await signal('SIGTERM')
  for (const { name, exit } of running) {
    const seconds = containerOf(name).StopTimeout
    const deadline = new Promise((resolve) => setTimeout(resolve, seconds * 1000, 'SIGKILL').unref())
    expect(await Promise.race([exit, deadline])).toBe(0)
  }
})
