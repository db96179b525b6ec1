import { findPrometheusBinary } from './prometheus-binaries.ts'
import { run } from './run.ts'

const folder = 'deploy/monitoring'

/** What has to hold of the monitoring files, as arguments of promtool. */
export const promtoolChecks: readonly (readonly string[])[] = [
  ['check', 'config', 'prometheus.yml'],
  ['check', 'rules', '--lint-fatal', 'alerts.yml'],
  ['test', 'rules', 'alerts.test.yml'],
]

/** Runs promtool beside the monitoring files. @throws Error with what it found */
export async function promtool(args: readonly string[]): Promise<string> {
  const { command, env } = await findPrometheusBinary('promtool')
  return run(command, [...args], { env, cwd: folder })
}
