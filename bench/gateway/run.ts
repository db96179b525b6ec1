import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { findProgram, versionOf } from '../common/find-program.ts'
import { createReport } from '../common/report.ts'
import { requireNames } from '../common/require-names.ts'
import { baselineContender, type Contender, contenders } from './contenders/contenders.ts'
import { installPeers } from './contenders/install-peers.ts'
import { verifyEquivalence } from './contenders/verify-equivalence.ts'
import { startBenchEnvironment } from './environment/bench-environment.ts'
import { leaveContenderCore } from './environment/cores.ts'
import { writeKeys } from './environment/keys.ts'
import { writeTokens } from './environment/tokens.ts'
import { costBench } from './parts/cost.ts'
import { flatnessBench } from './parts/flatness.ts'
import { latencyBench } from './parts/latency.ts'
import { memoryBench } from './parts/memory.ts'
import type { BenchPart } from './parts/part.ts'

/**
 * `npm run bench`: the gateway beside its peers. `--full` for long rounds, `--only NAME` for one
 * part, `--with NAME` for one contender (both repeatable), `--out FOLDER` for where the report, its
 * raw rows and the picture go. `--baseline FOLDER` adds the gateway of another checkout.
 */

const parts: Record<string, BenchPart> = {
  cost: costBench,
  latency: latencyBench,
  memory: memoryBench,
  flatness: flatnessBench,
}

const isInstalled = ({ program, files = [] }: NonNullable<Contender['needs']>) =>
  findProgram(program) !== undefined && files.every((file) => existsSync(file))

const {
  full,
  only,
  out,
  baseline,
  with: chosen,
} = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: Object.keys(parts) },
    with: { type: 'string', multiple: true, default: Object.keys(contenders) },
    baseline: { type: 'string' },
    out: { type: 'string', default: join(import.meta.dirname, 'results', `${Date.now()}`) },
  },
}).values
requireNames('only', only, parts)
requireNames('with', chosen, contenders)
const measured = Object.fromEntries(Object.entries(contenders).filter(([name]) => chosen.includes(name)))
if (baseline !== undefined) measured['gatehouse-baseline'] = baselineContender(resolve(baseline))

/** 100,000 take a minute to be shown to a gateway that has not met them. */
const users = full ? 100_000 : 20_000
const freshCount = full ? 150_000 : 80_000

/** The bench exits even if a part hangs: the guards of the servers notice and end them. */
const limitMs = (full ? 120 : 30) * 60_000
setTimeout(() => {
  process.stderr.write(`The bench took longer than ${limitMs / 60_000} minutes.\n`)
  process.exit(1)
}, limitMs).unref()

const startedAt = performance.now()
if (!findProgram('wrk'))
  throw new Error('The load is sent by wrk, which is not on this machine: apt-get install wrk')
await leaveContenderCore()
await installPeers()
const benchEnvironment = await startBenchEnvironment()
try {
  mkdirSync(out, { recursive: true })
  const report = createReport(join(out, 'gateway.jsonl'))
  const command = ['node bench/gateway/run.ts', ...process.argv.slice(2)].join(' ')
  report.raw({ part: 'facts', command, at: new Date().toISOString(), ...benchEnvironment.facts })
  report.text(`# Gateway: ${command}\n`)
  report.table([['fact', 'value'], ...Object.entries(benchEnvironment.facts)])

  report.heading('Proven')
  report.text(
    '200 with the answer of the upstream and the header set, which is told who calls; 401 without a token and for a changed, an expired and a ' +
      "foreign one; 429 beyond the claim's quota and beyond the address's limit.\n",
  )
  const equivalent: Record<string, Contender> = {}
  for (const [name, contender] of Object.entries(measured)) {
    const { needs, title, unequal } = contender
    if (needs && !isInstalled(needs)) {
      report.text(`- ${title}: not on this machine (apt-get install ${needs.package})`)
      continue
    }
    await verifyEquivalence(name, contender, benchEnvironment)
    equivalent[name] = contender
    const version = needs && ` (${await versionOf(needs.program)})`
    report.text(`- ${title}${version ?? ''}${unequal ? `: ${unequal}` : ''}`)
  }

  const { folder, issuer, database } = benchEnvironment
  const keys = await writeKeys(folder, database, users)
  const tokens = await writeTokens(folder, issuer, { users, freshCount, keys })
  for (const name of only)
    await parts[name]?.({
      benchEnvironment,
      contenders: equivalent,
      tokens,
      users,
      isFull: full,
      report,
      folder: out,
    })
  report.text(`\n${Math.round((performance.now() - startedAt) / 1000)} s; raw rows in gateway.jsonl`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exitCode = 1
} finally {
  await benchEnvironment.stop()
}
// Handles that a failed part left open do not keep the process alive.
process.exit()
