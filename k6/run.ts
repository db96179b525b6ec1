import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedFolder } from '../test/servers/cache-folder.ts'
import { findFreePort } from '../test/servers/free-port.ts'
import { run } from '../test/servers/run.ts'

/** `npm run k6 -- smoke.js`: starts Gatehouse on free ports and embedded defaults, and runs a k6 script against it. */

const root = fileURLToPath(new URL('..', import.meta.url))
const upTimeoutMs = 60_000

/** The newest release of the newest major that `go install` takes from the public module proxy. */
const k6Version = 'v1.8.1'

const [script = 'smoke.js', ...more] = process.argv.slice(2)
const k6 = await findK6()
if (k6 === undefined) {
  process.stdout.write(`k6 was not run: neither k6 nor go, which could build it, is on the PATH.\n`)
  process.exit(0)
}
process.exitCode = await runAgainstGatehouse(k6)

/** @returns undefined where there is none and none can be built */
async function findK6(): Promise<string | undefined> {
  if (findOnPath('k6')) return 'k6'
  if (!findOnPath('go')) return undefined
  const folder = await cachedFolder(`k6-${k6Version}`, async (target) => {
    process.stdout.write(`Building k6 ${k6Version} ...\n`)
    await run('go', ['install', `go.k6.io/k6@${k6Version}`], { env: { ...process.env, GOBIN: target } })
  })
  return join(folder, 'k6')
}

function findOnPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
}

async function runAgainstGatehouse(k6: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-k6-'))
  const [gatewayPort, originPort, reportsPort] = [
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
  ]
  const gatehouse = spawn(process.execPath, [join(root, 'dev/start.ts'), '--folder', folder], {
    cwd: root,
    env: {
      ...process.env,
      // Accounts of a load test belong into no database or Redis of anybody's.
      DATABASE_URL: '',
      REDIS_URL: '',
      GATEWAY_PORT: `${gatewayPort}`,
      ORIGIN_PORT: `${originPort}`,
      REPORTS_PORT: `${reportsPort}`,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = once(gatehouse, 'exit')
  const gatewayUrl = `http://127.0.0.1:${gatewayPort}`
  try {
    await untilReady(`${gatewayUrl}/ready`, ended)
    const child = spawn(k6, ['run', '--quiet', ...more, join(root, 'k6', script)], {
      env: { ...process.env, GATEWAY_URL: gatewayUrl, K6_NO_USAGE_REPORT: 'true' },
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const [code] = await once(child, 'exit')
    return code ?? 1
  } finally {
    gatehouse.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true })
  }
}

async function untilReady(url: string, ended: Promise<unknown>): Promise<void> {
  let over = false
  ended.then(() => {
    over = true
  })
  const deadline = performance.now() + upTimeoutMs
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (over || performance.now() > deadline) throw new Error('Gatehouse did not come up.')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
