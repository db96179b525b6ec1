import { healthResponse } from '../../../../shared/http/health.ts'
import { createLog } from '../../../../shared/node/log.ts'
import { serveMetrics } from '../../../../shared/node/telemetry/metrics-server.ts'
import type { GatewayConfig } from '../../../config.ts'
import { createGroupHealth } from './group-health.ts'
import { createGroupMetrics } from './group-metrics.ts'
import { stopMs } from './process-count.ts'
import { createProcessTable } from './process-table.ts'

/**
 * Runs the gateway as several processes on one port: starts them, replaces those that end, serves
 * their metrics and health as one, and drains them all on SIGTERM. Exits as one process does: 0
 * after a stop, 78 or 1 where no process can start.
 */
export async function supervise(config: GatewayConfig, count: number): Promise<void> {
  const log = createLog('gateway', config.LOG_LEVEL)
  const processes = createProcessTable({
    count,
    answers: { health: () => health.check() },
    stopMs: stopMs(config),
    onEnd: (entry) => metrics.keepTotals(entry),
    giveUp: (code) => process.exit(code),
    log,
  })
  const health = createGroupHealth(processes)
  const metrics = createGroupMetrics(processes.entries)
  const { METRICS_HOST: hostname, GATEWAY_METRICS_PORT: port } = config
  const metricsEndpoint = await serveMetrics({
    service: 'gateway',
    hostname,
    port,
    portVariable: 'GATEWAY_METRICS_PORT',
    registry: metrics.registry,
    scrape: metrics.scrape,
    async health() {
      const { checks, state } = await health.describe()
      return healthResponse(checks, state)
    },
    log,
  })

  let isStopping = false
  async function stop(signal: string): Promise<void> {
    if (isStopping) return
    isStopping = true
    log.info({ signal }, 'stopping all processes')
    const killed = await processes.stop()
    await metricsEndpoint.close()
    if (killed > 0) log.error({ killed }, 'processes did not stop in time and were killed')
    log.info({}, 'all processes stopped')
    process.exit(killed > 0 ? 1 : 0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal))
  if (config.POLICY_FILE !== undefined) process.on('SIGHUP', () => processes.signal('SIGHUP'))
  await processes.start()
}
