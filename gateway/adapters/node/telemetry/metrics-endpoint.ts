import { Registry } from 'prom-client'
import { healthResponse } from '../../../../shared/http/health.ts'
import type { Log } from '../../../../shared/lib/log.ts'
import type { Now } from '../../../../shared/lib/time.ts'
import { serveMetrics } from '../../../../shared/node/telemetry/metrics-server.ts'
import { collectProcessMetrics, processState } from '../../../../shared/node/telemetry/process-metrics.ts'
import type { GatewayConfig } from '../../../config.ts'
import type { Gateway } from '../../../gateway.ts'
import type { ProcessGroup } from '../processes/process-group.ts'
import type { RateLimitStoreHandle } from '../rate-limit-store.ts'
import { exposeMetrics } from './expose-metrics.ts'

interface MetricsEndpointOptions {
  config: Pick<GatewayConfig, 'METRICS_HOST' | 'GATEWAY_METRICS_PORT'>
  gateway: Pick<Gateway<never>, 'metrics' | 'gauges' | 'revocationState' | 'checkHealth'>
  rateLimiting: RateLimitStoreHandle
  /** Open connections of clients, where the runtime can count them. */
  connections?: (() => Promise<number>) | undefined
  /** The supervisor of the group serves the endpoint, and asks this process. */
  group?: ProcessGroup | undefined
  now: Now
  log: Log
}

/** Serves metrics and health of a gateway on a port of their own, where one is set. */
export async function startMetricsEndpoint({
  config,
  gateway,
  rateLimiting,
  connections,
  group,
  now,
  log,
}: MetricsEndpointOptions) {
  const registry = new Registry()
  exposeMetrics({
    registry,
    values: gateway.metrics.values,
    gauges: gateway.gauges,
    revocationState: gateway.revocationState,
    redis: rateLimiting.redis,
    connections,
    now,
  })

  async function health() {
    const open = connections && { connections: await connections() }
    return healthResponse(await gateway.checkHealth(), { ...open, ...processState() })
  }

  const { METRICS_HOST: hostname, GATEWAY_METRICS_PORT: port } = config
  if (group) {
    if (port !== undefined) collectProcessMetrics(registry, 'gateway')
    group.answerWith({
      metrics: () => registry.getMetricsAsJSON(),
      health: async () => (await health()).json(),
    })
    return { close: async () => {} }
  }
  return serveMetrics({
    service: 'gateway',
    hostname,
    port,
    portVariable: 'GATEWAY_METRICS_PORT',
    registry,
    health,
    log,
  })
}
