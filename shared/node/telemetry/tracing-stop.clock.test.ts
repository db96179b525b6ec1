import { createServer } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { createCapturedLog } from '../../../test/support/captured-log.ts'
import { closeSockets, listen } from '../../../test/support/gateway/sockets.ts'
import { loadTracing } from './tracing.ts'

afterEach(async () => {
  vi.unstubAllEnvs()
  await closeSockets()
})

test('a receiver that is away holds up no stop for longer than 2 s', async () => {
  const port = await listen(createServer(() => {}))
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', `http://127.0.0.1:${port}`)
  const tracing = await loadTracing('gateway', createCapturedLog('gateway').log)
  tracing?.beginSpan({ method: 'GET', requestId: 'req-00000001' }).end({ route: '/', status: 200 })
  const startedAt = performance.now()
  await tracing?.close()
  expect(performance.now() - startedAt).toBeGreaterThan(1000)
  expect(performance.now() - startedAt).toBeLessThan(3500)
})
