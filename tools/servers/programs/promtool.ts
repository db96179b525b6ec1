import { run } from '../process/run.ts'
import { findProgram, type Program } from './find-program.ts'

const folder = 'deploy/monitoring'

/** Checks of the monitoring files, as arguments of promtool. */
export const promtoolChecks: readonly (readonly string[])[] = [
  ['check', 'config', 'prometheus.yml'],
  ['check', 'rules', '--lint-fatal', 'alerts.yml'],
  ['test', 'rules', 'alerts.test.yml'],
]

/** Runs promtool beside the monitoring files. @throws Error with its output */
export async function promtool(args: readonly string[]): Promise<string> {
  const { command, env } = await findPromtool()
  return run(command, [...args], { env, cwd: folder })
}

async function findPromtool(): Promise<Program> {
  try {
    return await findProgram({ names: ['promtool'], apt: 'prometheus', homebrew: 'prometheus' })
  } catch (cause) {
    throw new Error(
      'The tests of alerts need promtool: it is not on the PATH, and neither apt-get nor Homebrew provides it.',
      { cause },
    )
  }
}
