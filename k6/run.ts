import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { runCommand, UnavailableError } from '../shared/node/cli.ts'
import { findK6 } from './binary.ts'
import { type LoadTestOptions, parseCommandLine, usage } from './command-line.ts'
import { startEmbedded } from './environment/embedded.ts'
import { startLoadTestEnvironment } from './environment/load-test-environment.ts'
import { runHundredThousand } from './hundred-thousand/run.ts'
import { measure } from './measure/measure.ts'
import { ProductionError, requireNoProduction } from './not-production.ts'
import { runScript } from './script.ts'

/**
 * `npm run k6 -- SCENARIO`: starts what the scenario runs against, runs it, and says where its
 * report is.
 */

/**
 * One seeded account in a hundred is disabled: where a number of users is promised, some more are
 * seeded.
 */
const seededUsers = ({ users, isLean }: LoadTestOptions) => (isLean ? Math.ceil(users * 1.02) + 50 : users)

const say = (line: string) => process.stdout.write(`${line}\n`)
const reports = join(import.meta.dirname, 'reports')

await runCommand(
  async () => {
    const options = parseCommandLine(process.argv.slice(2))
    // First of all: to build k6 takes minutes.
    requireNoProduction()
    const k6 = await findK6()
    if (k6 === undefined) {
      const missing = 'k6 was not run: neither k6 nor go, which could build it, is on the PATH.'
      // CI goes on without its smoke run; a named scenario is run for its figures.
      if (options.name !== 'smoke') throw new UnavailableError(missing)
      say(missing)
      return
    }
    await mkdir(reports, { recursive: true })
    const loadTestEnvironment =
      options.against === 'start'
        ? await startEmbedded()
        : await startLoadTestEnvironment({ ...options, users: seededUsers(options), say })
    // A Ctrl-C reaches k6 too, which then ends by itself and leaves the environment to us.
    process.on('SIGINT', () => {})
    try {
      if (loadTestEnvironment.kind === 'processes' && options.measures)
        await measure({ k6, loadTest: options, loadTestEnvironment, reports, say })
      else if (loadTestEnvironment.kind === 'processes' && options.isLean)
        process.exitCode = await runHundredThousand({
          k6,
          loadTest: options,
          loadTestEnvironment,
          reports,
          say,
        })
      else
        process.exitCode = await runScript({
          k6,
          loadTest: options,
          environment: loadTestEnvironment.environment,
          reports,
          say,
        })
    } finally {
      await loadTestEnvironment.stop()
    }
  },
  { usage, misconfigurations: [ProductionError] },
)
