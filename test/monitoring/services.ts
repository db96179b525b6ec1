import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateSecrets } from '../../dev/secrets.ts'
import { startService } from '../../dev/service.ts'
import { findFreePort } from '../../tools/servers/process/free-port.ts'
import { demoPolicyPath } from '../support/demo-policy.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface ServicesOptions {
  /** Migrated, and for these services alone. */
  databaseUrl: string
  redisUrl: string
  /** Variables over what is needed. */
  environment?: Record<string, string>
}

/**
 * Origin, demo upstream and gateway as processes of their own, each with its metrics on a port of
 * their own.
 */
export async function startServices({ databaseUrl, redisUrl, environment = {} }: ServicesOptions) {
  const names = ['gateway', 'gatewayMetrics', 'origin', 'originMetrics', 'reports'] as const
  const ports = {} as Record<(typeof names)[number], number>
  for (const name of names) ports[name] = await findFreePort()
  const url = (name: (typeof names)[number]) => `http://127.0.0.1:${ports[name]}`

  const variables = {
    ...(await generateSecrets()),
    PATH: process.env.PATH,
    NODE_ENV: 'test',
    LOG_LEVEL: 'error',
    DRAIN_DELAY_SECONDS: '0',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    PASSWORD_HASH_COST: '10',
    GATEWAY_PORT: `${ports.gateway}`,
    GATEWAY_METRICS_PORT: `${ports.gatewayMetrics}`,
    ORIGIN_PORT: `${ports.origin}`,
    ORIGIN_METRICS_PORT: `${ports.originMetrics}`,
    REPORTS_PORT: `${ports.reports}`,
    ORIGIN_URL: url('origin'),
    ISSUER_URL: url('gateway'),
    UPSTREAMS: JSON.stringify({ reports: url('reports') }),
    POLICY_FILE: demoPolicyPath,
    ...environment,
  }
  const entries = [
    ['origin', 'origin/main.ts'],
    ['reports', 'examples/reports/main.ts'],
    ['gateway', 'gateway/adapters/node/main.ts'],
  ] as const
  const running: ReturnType<typeof startService>[] = []

  async function stop(): Promise<void> {
    for (const service of running.splice(0).reverse()) await service.stop()
  }

  try {
    for (const [name, entry] of entries) {
      const service = startService({
        name,
        entry: join(root, entry),
        environment: variables,
        liveUrl: `${url(name)}/live`,
        onUnexpectedEnd: (how) => process.stderr.write(`${name} ended (${how})\n`),
      })
      running.push(service)
      await service.listening
    }
  } catch (error) {
    await stop()
    throw error
  }
  return {
    gateway: url('gateway'),
    metrics: { gateway: url('gatewayMetrics'), origin: url('originMetrics') },
    stop,
  }
}
