import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { generateSecrets } from '../../dev/secrets.ts'
import { startDurablePostgres } from '../common/durable-postgres.ts'
import { machineFacts } from '../common/machine.ts'
import { createReport } from '../common/report.ts'
import { requireNames } from '../common/require-names.ts'
import type { BenchPart } from './environment/part.ts'
import { openDatabase } from './environment/seed.ts'
import { importBench } from './import/import.ts'
import { loginTimingBench } from './logins/login-timing.ts'
import { loginsBench } from './logins/logins.ts'
import { meUnderFloodBench } from './logins/me-under-flood.ts'
import { entitlementsBench } from './sql/entitlements.ts'
import { poolSizeBench } from './sql/pool-size.ts'
import { rotationBench } from './sql/rotation.ts'
import { writesBench } from './sql/writes.ts'

/**
 * `npm run bench:accounts`: how fast the origin's accounts are, on a PostgreSQL of its own.
 * `--full` for long rounds, `--only NAME` for one part (repeatable), `--out FILE` for where the raw
 * rows go.
 */

const parts: Record<string, BenchPart> = {
  rotation: rotationBench,
  entitlements: entitlementsBench,
  'pool-size': poolSizeBench,
  writes: writesBench,
  logins: loginsBench,
  'me-under-flood': meUnderFloodBench,
  'login-timing': loginTimingBench,
  import: importBench,
}

const { full, only, out } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: Object.keys(parts) },
    out: { type: 'string', default: join(import.meta.dirname, 'results', `${Date.now()}.jsonl`) },
  },
}).values
requireNames('only', only, parts)

/** The bench exits even if a part hangs: the guards of the servers notice and end them. */
const limitMs = (full ? 60 : 8) * 60_000
setTimeout(() => {
  process.stderr.write(`The bench took longer than ${limitMs / 60_000} minutes.\n`)
  process.exit(1)
}, limitMs).unref()

const startedAt = performance.now()
const server = await startDurablePostgres()
try {
  const report = createReport(out)
  const sql = await openDatabase(await server.createDatabase('bench_facts'))
  const facts = await machineFacts(sql)
  await sql.end()
  const command = ['node bench/accounts/run.ts', ...process.argv.slice(2)].join(' ')
  report.raw({ part: 'facts', command, at: new Date().toISOString(), ...facts })
  report.text(`# Accounts: ${command}\n`)
  report.table([['fact', 'value'], ...Object.entries(facts)])

  const secrets = await generateSecrets()
  for (const name of only) await parts[name]?.({ server, secrets, isFull: full, report })
  report.text(`\n${Math.round((performance.now() - startedAt) / 1000)} s; raw rows in ${out}`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exitCode = 1
} finally {
  await server.stop()
}
// Handles that a failed part left open do not keep the process alive.
process.exit()
