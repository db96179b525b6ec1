import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../tools/servers/postgres/test-database.ts'
import { redisForFile } from '../../tools/servers/redis/test-redis.ts'
import { startServices } from '../monitoring/services.ts'
import { createFullStack } from '../support/full-stack/full-stack.ts'
import { closeSockets, listen } from '../support/gateway/sockets.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`

afterEach(closeSockets)

test('the trace that a caller says is in the lines of both services', async () => {
  const fullStack = await createFullStack()
  await fullStack.call('/v1/plans', { headers: { traceparent } })
  await fullStack.post(
    '/auth/login',
    { email: 'nobody@example.com', password: 'x' },
    { headers: { traceparent } },
  )
  for (const lines of [fullStack.logs.gateway, fullStack.logs.origin]) {
    const requests = lines.filter(({ msg, path }) => msg === 'request' && path !== '/ready')
    expect(requests.filter(({ trace_id }) => trace_id === traceId)).toHaveLength(2)
  }
  expect(fullStack.logs.origin).toContainEqual(
    expect.objectContaining({ msg: 'request refused', trace_id: traceId, code: 'invalid_credentials' }),
  )
  await fullStack.close()
})

test('gateway and origin hand their spans of one request to a receiver, in one trace', {
  timeout: 60_000,
}, async () => {
  const received: Buffer[] = []
  const port = await listen(
    createServer(async (request, response) => {
      received.push(await buffer(request))
      response.end()
    }),
  )
  const database = await createTestDatabase()
  const services = await startServices({
    databaseUrl: database.url,
    redisUrl: await redisForFile(),
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
  })
  expect((await fetch(`${services.gateway}/v1/plans`, { headers: { traceparent } })).status).toBe(200)
  // A service that stops hands over what it has.
  await services.stop()
  await database.drop()

  const ofTrace = received.filter((body) => body.includes(Buffer.from(traceId, 'hex')))
  const from = (service: string) => ofTrace.filter((body) => body.includes(`gatehouse-${service}`))
  expect(from('gateway').some((body) => body.includes('GET /v1/plans'))).toBe(true)
  expect(from('origin').some((body) => body.includes('GET /v1/plans'))).toBe(true)
})
