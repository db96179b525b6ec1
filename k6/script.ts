import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { LoadTestOptions } from './command-line.ts'

interface ScriptOptions {
  k6: string
  loadTest: LoadTestOptions
  environment: Record<string, string>
  /** The folder of reports. */
  reports: string
  /** Its reports' name, by default the scenario's. */
  report?: string
  /** Told k6's process. */
  onStart?: (pid: number) => void
  say: (line: string) => void
}

/** Runs a scenario in k6. @returns its exit code, which is not 0 where a threshold was crossed */
export async function runScript(options: ScriptOptions): Promise<number> {
  const { k6, loadTest, environment, reports, report = loadTest.name, onStart, say } = options
  const html = join(reports, `${report}.html`)
  const json = join(reports, `${report}.json`)
  const child = spawn(k6, ['run', '--quiet', join(import.meta.dirname, 'scenarios', `${loadTest.name}.ts`)], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      RATE: `${loadTest.rate}`,
      SECONDS: `${loadTest.seconds}`,
      SUMMARY_FILE: json,
      ...environment,
      K6_NO_USAGE_REPORT: 'true',
      K6_WEB_DASHBOARD: 'true',
      K6_WEB_DASHBOARD_PORT: '-1',
      K6_WEB_DASHBOARD_PERIOD: loadTest.seconds < 120 ? '1s' : '5s',
      K6_WEB_DASHBOARD_EXPORT: html,
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (child.pid !== undefined) onStart?.(child.pid)
  const stop = () => child.kill('SIGINT')
  process.once('SIGTERM', stop)
  const [code] = await once(child, 'exit')
  process.off('SIGTERM', stop)
  say(`Report: ${html}`)
  say(`Summary: ${json}`)
  return code ?? 1
}
