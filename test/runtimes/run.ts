import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startVitest } from 'vitest/node'
import { startGateway } from './gateway.ts'
import { startGatewayHarness } from './gateway-harness.ts'
import { runtimes } from './runtimes.ts'
import { skips } from './skips.ts'
import { createTableReporter } from './table.ts'

/**
 * `npm run test:runtimes`: one suite against the gateway on every runtime, with the same servers.
 * `npm run test:runtimes -- node-24 bun` runs it on these alone.
 */

const names = process.argv.slice(2)
const unknown = names.find((name) => runtimes.every((runtime) => runtime.name !== name))
if (unknown) {
  process.stderr.write(
    `There is no runtime ${unknown}: there are ${runtimes.map(({ name }) => name).join(', ')}.\n`,
  )
  process.exit(1)
}
const chosen = names.length > 0 ? runtimes.filter(({ name }) => names.includes(name)) : runtimes

const here = fileURLToPath(new URL('.', import.meta.url))
const documented = readFileSync(new URL('../../docs/runtimes.md', import.meta.url), 'utf8')

const running: { stop: () => Promise<unknown> }[] = []
try {
  const harness = await startGatewayHarness()
  running.push(harness)
  const projects = []
  for (const runtime of chosen) {
    const gateway = await startGateway(runtime, harness)
    running.push(gateway)
    projects.push({
      test: {
        name: runtime.name,
        include: [`${relative(process.cwd(), here)}/suite/*.suite.ts`],
        setupFiles: [`${here}/setup.ts`],
        testTimeout: 20_000,
        hookTimeout: 60_000,
        // The suite keeps nothing between tests that another could trip over: a worker serves file
        // after file.
        isolate: false,
        provide: {
          runtime: runtime.name,
          gatewayPort: gateway.port,
          upstreamPort: harness.upstreamPort,
          signingKey: harness.signingKey,
          demoPassword: harness.demoPassword,
        },
      },
    })
  }
  const reporter = createTableReporter({ columns: chosen.map(({ name }) => name), skips, documented })
  await startVitest('test', [], { config: false, watch: false, reporters: ['dot', reporter], projects })
} finally {
  for (const part of running.reverse()) await part.stop()
}
// All servers have ended, but handles that Vitest keeps for a next run would keep this process
// alive.
process.exit()
