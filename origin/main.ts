import { fetchListener } from '../shared/node/http/http-server.ts'
import { requireUsableRedis } from '../shared/node/redis-check.ts'
import { runService } from '../shared/node/run-service.ts'
import { createServiceServer } from '../shared/node/service-server.ts'
import { serveMetrics } from '../shared/node/telemetry/metrics-server.ts'
import { originVariables } from './config.ts'
import { createOrigin } from './origin.ts'

await runService({
  name: 'origin',
  variables: originVariables,
  portVariable: 'ORIGIN_PORT',

  async start({ config, log, beginSpan, isStopping }) {
    await requireUsableRedis(config.REDIS_URL)
    const origin = await createOrigin(config, log, { isStopping, beginSpan })
    const metrics = await serveMetrics({
      service: 'origin',
      hostname: config.METRICS_HOST,
      port: config.ORIGIN_METRICS_PORT,
      portVariable: 'ORIGIN_METRICS_PORT',
      registry: origin.registry,
      health: () => origin.app.request('/health'),
      log,
    })
    return {
      server: createServiceServer({
        listener: fetchListener(origin.app.fetch),
        keepAliveSeconds: 75,
        stallSeconds: config.CLIENT_STALL_SECONDS,
        isStopping,
      }),
      async close() {
        await origin.close()
        await metrics.close()
      },
    }
  },
})
