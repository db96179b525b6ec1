import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CommandError } from '../../shared/node/cli.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const upTimeoutMs = 60_000
const pollMs = 100

/**
 * `npm start` on free ports and with its embedded defaults, in a folder of its own that goes with
 * it.
 */
export async function startEmbedded() {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-k6-'))
  const [gatewayPort, originPort, reportsPort] = [
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
  ]
  const gatehouse = spawn(process.execPath, [join(root, 'dev/start.ts'), '--folder', folder], {
    // Runs without a .env file: the scenario checks the defaults.
    cwd: folder,
    env: {
      ...process.env,
      // Without a mail server mails go to the log, as warnings.
      LOG_LEVEL: 'error',
      // Accounts of a load test must not reach an existing database or Redis.
      DATABASE_URL: '',
      REDIS_URL: '',
      POLICY_FILE: '',
      GATEWAY_PORT: `${gatewayPort}`,
      ORIGIN_PORT: `${originPort}`,
      REPORTS_PORT: `${reportsPort}`,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = once(gatehouse, 'exit')
  const gatewayUrl = `http://127.0.0.1:${gatewayPort}`

  async function stop(): Promise<void> {
    gatehouse.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true })
  }

  async function untilReady(): Promise<void> {
    const deadline = performance.now() + upTimeoutMs
    while (!(await isReady(gatewayUrl))) {
      if (gatehouse.exitCode !== null)
        throw new CommandError(`npm start ended with ${gatehouse.exitCode}, for the reason above.`)
      if (performance.now() > deadline)
        throw new CommandError(`npm start is not ready after ${upTimeoutMs / 1000} s.`)
      await sleep(pollMs)
    }
  }

  await untilReady().catch(async (error) => {
    await stop()
    throw error
  })
  return { kind: 'start' as const, environment: { GATEWAY_URL: gatewayUrl }, stop }
}

async function isReady(gatewayUrl: string): Promise<boolean> {
  return fetch(`${gatewayUrl}/ready`).then(
    ({ ok }) => ok,
    () => false,
  )
}
