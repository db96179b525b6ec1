import { promtool, promtoolChecks } from '../../tools/servers/programs/promtool.ts'

/**
 * `npm run alerts`: holds configuration and alert rules against promtool, without the servers that
 * the tests start.
 */
try {
  for (const args of promtoolChecks) process.stdout.write(await promtool(args))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
