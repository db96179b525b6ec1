import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const module = (name: string) => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)))

/** Runs a service in a process of its own. @param start source of the function of that name */
async function run(start: string) {
  const source = `
    import { ConfigError } from ${module('../config.ts')}
    import { runService } from ${module('run-service.ts')}
    const stop = () => process.kill(process.pid, 'SIGTERM')
    await runService({ name: 'test', variables: [], portVariable: 'REPORTS_PORT', ${start} })`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: tmpdir(),
    env: { DRAIN_DELAY_SECONDS: '0', DRAIN_SECONDS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [[code], output, errorOutput] = await Promise.all([
    once(child, 'exit'),
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, output, errorOutput }
}

test('1: a service that cannot start logs the reason', async () => {
  const { code, output } = await run('start: async () => { throw new Error("no database") }')
  expect(code).toBe(1)
  expect(JSON.parse(output)).toMatchObject({ level: 'error', msg: 'cannot start: no database' })
})

test('78: a configuration that only the start finds unusable', async () => {
  const { code, errorOutput } = await run('start: async () => { throw new ConfigError(["REDIS_URL: no"]) }')
  expect(code).toBe(78)
  expect(errorOutput).toContain('REDIS_URL: no')
})

test('0: a stop signal that comes before the server listens', async () => {
  const { code, output } = await run(`start: async ({ log }) => {
    const alive = setInterval(() => {}, 1000)
    const order = []
    return {
      server: {
        async listen() {
          stop()
          await new Promise((resolve) => process.once('SIGTERM', resolve))
          await new Promise((resolve) => setTimeout(resolve, 50))
          clearInterval(alive)
          order.push('listens')
        },
        drain: async () => order.push('drained'),
        forceClose() {},
      },
      close: async () => log.info({ order }, 'closed'),
    }
  }`)
  expect(code).toBe(0)
  expect(output).toContain('"order":["listens","drained"]')
})

test('0: requests that outlast DRAIN_SECONDS are aborted', async () => {
  const { code, output } = await run(`start: async ({ log }) => {
    const alive = setInterval(() => {}, 1000)
    const order = []
    const { promise, resolve } = Promise.withResolvers()
    return {
      server: {
        listen: () => void setImmediate(stop),
        drain: () => promise.then(() => order.push('drained')),
        forceClose() {
          order.push('force-closed')
          resolve()
        },
      },
      close: async () => log.info({ order }, 'closed'),
    }
  }`)
  expect(code).toBe(0)
  expect(output).toContain('"order":["force-closed","drained"]')
})
