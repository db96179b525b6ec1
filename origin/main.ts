import { configFromEnvironment } from '../shared/node/environment.ts'
import { serveUntilStopped } from '../shared/node/graceful-server.ts'
import { fetchListener } from '../shared/node/http/http-server.ts'
import { createLog } from '../shared/node/log.ts'
import { serveMetrics } from '../shared/node/telemetry/metrics-server.ts'
import { loadTracing } from '../shared/node/telemetry/tracing.ts'
import { originVariables } from './config.ts'
import { buildOrigin } from './origin.ts'

const config = configFromEnvironment(originVariables)
const log = createLog('origin', config.LOG_LEVEL)

let stopping = false
const tracing = await loadTracing('origin', log)
const origin = await buildOrigin(config, log, {
  isStopping: () => stopping,
  beginSpan: tracing?.beginSpan,
}).catch((error: Error) => {
  log.error({ err: error }, `cannot start: ${error.message}`)
  process.exit(1)
})

const { registry } = origin
const metrics = await serveMetrics({
  service: 'origin',
  hostname: config.METRICS_HOST,
  port: config.ORIGIN_METRICS_PORT,
  portVariable: 'ORIGIN_METRICS_PORT',
  registry,
  health: () => origin.app.request('/health'),
  log,
})

await serveUntilStopped({
  listener: fetchListener(origin.app.fetch),
  hostname: config.HOST,
  port: config.ORIGIN_PORT,
  portVariable: 'ORIGIN_PORT',
  log,
  keepAliveSeconds: 75,
  stallSeconds: config.CLIENT_STALL_SECONDS,
  drainDelaySeconds: config.DRAIN_DELAY_SECONDS,
  drainSeconds: config.DRAIN_SECONDS,
  onStopping: () => {
    stopping = true
  },
  onStopped: async () => {
    await origin.close()
    await metrics.close()
    await tracing?.close()
  },
})
