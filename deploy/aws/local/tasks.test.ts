import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { chmod, copyFile, cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateSecrets } from '../../../dev/secrets.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { commandOf, environmentOf, readDockerfile, stepsOf } from '../../dockerfile.ts'
import { copySteps } from '../../image-files.ts'
import { environmentOfContainer, readContainers } from './template-task.ts'
import { startTlsStores } from './tls-stores.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const dockerfile = readDockerfile(join(root, 'Dockerfile'))
const containers = readContainers('example')

const imageOf: Record<string, string> = {
  migrate: 'command',
  'first-key': 'command',
  origin: 'origin',
  gateway: 'gateway',
}

let folder: string
let stores: Awaited<ReturnType<typeof startTlsStores>>
let authority: string
let secrets: Record<string, string>
let here: Record<string, string>
const stops: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-tasks-'))
  await chmod(folder, 0o755)
  for (const image of new Set(Object.values(imageOf))) {
    await copySteps(stepsOf(dockerfile, image), root, join(folder, image))
    await cp(join(root, 'node_modules'), join(folder, image, 'node_modules'), {
      recursive: true,
      verbatimSymlinks: true,
    })
  }
  stores = await startTlsStores()
  stops.push(stores.stop)
  // The user of the tasks may not read the folder of the certificates.
  authority = join(folder, 'ca.pem')
  await copyFile(stores.caFile, authority)
  await chmod(authority, 0o644)
  const { password } = stores
  secrets = {
    ...(await generateSecrets()),
    ...Object.fromEntries(
      ['DATABASE', 'REDIS', 'SMTP'].flatMap((each) => [
        [`${each}_USER`, 'gatehouse'],
        [`${each}_PASSWORD`, password],
      ]),
    ),
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

/** Endpoints of this machine, whose authority is not one of Amazon's. */
function atHome(environment: Record<string, string>): Record<string, string> {
  const { databasePort, cachePort } = stores
  const moved = { ...environment }
  if (moved.DATABASE_URL)
    moved.DATABASE_URL = moved.DATABASE_URL.replace(':5432', `:${databasePort}`).replace(
      '/app/deploy/rds-ca.pem',
      authority,
    )
  if (moved.REDIS_URL)
    moved.REDIS_URL = `${moved.REDIS_URL.replace(':6379', `:${cachePort}`)}?ca_file=${authority}`
  return moved
}

function start(name: string, args = containers[name]?.Command) {
  const container = containers[name]
  if (!container) throw new Error(`The template has no container ${name}`)
  const image = imageOf[name] ?? ''
  const steps = stepsOf(dockerfile, image)
  const [, ...rest] = commandOf(steps, args)
  const [uid, gid] = container.User.split(':').map(Number)
  const environment = {
    ...environmentOf(steps),
    ...atHome(environmentOfContainer(container, secrets)),
    ...here,
  }
  const child = spawn(process.execPath, rest, {
    cwd: join(folder, image),
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Files belong to the user of this test: the container's own cannot change them.
    ...(process.getuid?.() === 0 && { uid, gid }),
  })
  const exit = once(child, 'exit').then(([code]) => code)
  return { child, exit, out: text(child.stdout), complaints: text(child.stderr) }
}

test('tasks start as the template says: migrate, first key, origin, gateway; healthy, and no file written', async () => {
  const files = () => globSync('*/!(node_modules)/**', { cwd: folder }).toSorted()
  const before = files()
  for (const job of ['migrate', 'first-key']) {
    const { exit, complaints } = start(job)
    expect({ job, code: await exit, complaints: await complaints }).toEqual({ job, code: 0, complaints: '' })
  }
  const running = ['origin', 'gateway'].map((name) => ({ name, ...start(name) }))
  for (const { child, exit } of running)
    stops.push(async () => {
      child.kill('SIGKILL')
      await exit
    })
  for (const { name } of running) {
    const [form, program, ...args] = containers[name]?.HealthCheck?.Command ?? []
    expect([form, program]).toEqual(['CMD', 'node'])
    const check = (more: string[]) => start(name, ['node', ...args, ...more]).exit
    await expect.poll(() => check([]), { timeout: 60_000, interval: 500 }).toBe(0)
    await expect.poll(() => check(['/ready']), { timeout: 60_000, interval: 500 }).toBe(0)
  }
  for (const { child } of running) child.kill('SIGTERM')
  for (const { name, exit } of running) {
    const seconds = containers[name]?.StopTimeout ?? 0
    const deadline = new Promise((resolve) => setTimeout(resolve, seconds * 1000, 'SIGKILL').unref())
    expect(await Promise.race([exit, deadline])).toBe(0)
  }
  expect(files()).toEqual(before)
})
