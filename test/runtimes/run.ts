import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startVitest } from 'vitest/node'
import { type Group, groups } from './columns.ts'
import { startGateway, untilInRedis } from './gateway.ts'
import { startGatewayHarness } from './gateway-harness.ts'
import { skips } from './skips.ts'
import { createTableReporter } from './table.ts'

/**
 * `npm run test:runtimes`: one suite against the gateway on every runtime, with the same servers,
 * and the parts of it that are about Redis with a Redis Cluster and with Sentinel.
 * `npm run test:runtimes -- node-24 bun-cluster` runs these columns alone.
 */

const names = process.argv.slice(2)
const known = groups.flatMap(({ columns }) => columns.map(({ name }) => name))
const unknown = names.find((name) => !known.includes(name))
if (unknown) {
  process.stderr.write(`There is no column ${unknown}: there are ${known.join(', ')}.\n`)
  process.exit(1)
}

const here = fileURLToPath(new URL('.', import.meta.url))
const documented = readFileSync(new URL('../../docs/runtimes.md', import.meta.url), 'utf8')

async function runGroup({ startRedis, files, columns }: Group): Promise<void> {
  const running: { stop: () => Promise<unknown> }[] = []
  async function started<T extends { stop: () => Promise<unknown> }>(starting: Promise<T>): Promise<T> {
    const part = await starting
    running.push(part)
    return part
  }
  try {
    const redis = await started(startRedis())
    const harness = await started(startGatewayHarness(redis))
    const gateways: { name: string; port: number }[] = []
    for (const { name, runtime } of columns) {
      const { port } = await started(startGateway(runtime, harness))
      gateways.push({ name, port })
    }
    const projects = gateways.map(({ name, port }) => ({
      test: {
        name,
        include: files.map((file) => `${relative(process.cwd(), here)}/suite/${file}.suite.ts`),
        setupFiles: [`${here}/setup.ts`],
        testTimeout: 20_000,
        hookTimeout: 60_000,
        // The suite keeps nothing between tests that another could trip over: a worker serves file
        // after file.
        isolate: false,
        provide: {
          runtime: name,
          gatewayPort: port,
          upstreamPort: harness.upstreamPort,
          signingKey: harness.signingKey,
          demoPassword: harness.demoPassword,
        },
      },
    }))
    async function runSuite(): Promise<void> {
      if (redis.failOver) await Promise.all(gateways.map(({ port }) => untilInRedis(port)))
      const reporter = createTableReporter({ columns: columns.map(({ name }) => name), skips, documented })
      await startVitest('test', [], { config: false, watch: false, reporters: ['dot', reporter], projects })
    }
    await runSuite()
    if (redis.failOver === undefined) return
    process.stdout.write('\nA master of Redis is killed, and the same tests run again.\n')
    await redis.failOver()
    await runSuite()
  } finally {
    for (const part of running.reverse()) await part.stop()
  }
}

for (const group of groups) {
  const columns = group.columns.filter(({ name }) => names.length === 0 || names.includes(name))
  if (columns.length > 0) await runGroup({ ...group, columns })
}
// All servers have ended, but handles that Vitest keeps for a next run would keep this process
// alive.
process.exit()
