import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const run = fileURLToPath(new URL('run.ts', import.meta.url))

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-k6-run-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** Runs a scenario where neither k6 nor go, which would build it, is on the PATH. */
async function runScenario(scenario: string, environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, [run, scenario], {
    cwd: folder,
    env: { PATH: folder, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [said, errorOutput, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code, said, errorOutput }
}

describe('78 in one line, before anything is built', () => {
  test.each(['smoke', 'frontend'])('%s beside a production .env', async (scenario) => {
    await writeFile(join(folder, '.env'), 'NODE_ENV=production\nISSUER_URL=https://auth.example.com\n')
    const { code, said, errorOutput } = await runScenario(scenario)
    expect({ code, said }).toEqual({ code: 78, said: '' })
    expect(errorOutput).toMatch(/^NODE_ENV is production in .+\.env: .+\n$/)
  })

  test('in a production environment', async () => {
    const { code, errorOutput } = await runScenario('smoke', { NODE_ENV: 'production' })
    expect(code).toBe(78)
    expect(errorOutput).toMatch(/^NODE_ENV is production in the environment: .+\n$/)
  })
})

test('the environment wins over .env', async () => {
  await writeFile(join(folder, '.env'), 'NODE_ENV=production\n')
  const { code, said } = await runScenario('smoke', { NODE_ENV: 'development' })
  expect(code).toBe(0)
  expect(said).toContain('k6 was not run')
})

test('69 in one line where a scenario needs k6, and neither k6 nor go is there', async () => {
  const { code, said, errorOutput } = await runScenario('hundred-thousand')
  expect({ code, said }).toEqual({ code: 69, said: '' })
  expect(errorOutput).toBe('k6 was not run: neither k6 nor go, which could build it, is on the PATH.\n')
})
