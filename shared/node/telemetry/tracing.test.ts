import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createCapturedLog } from '../../../test/support/captured-log.ts'
import { closeSockets, listen } from '../../../test/support/gateway/sockets.ts'
import { readTraceparent } from '../../http/trace-context.ts'
import { loadTracing } from './tracing.ts'

const { log } = createCapturedLog('gateway')
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parentId}-01`

afterEach(async () => {
  vi.unstubAllEnvs()
  await closeSockets()
})

/** A receiver of OTLP over HTTP, which keeps what it was sent. */
async function startReceiver() {
  const received: { path: string | undefined; type: string | undefined; body: Buffer }[] = []
  const port = await listen(
    createServer(async (request, response) => {
      const sent = await buffer(request)
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent
      received.push({ path: request.url, type: request.headers['content-type'], body })
      response.end()
    }),
  )
  return { received, url: `http://127.0.0.1:${port}` }
}

/** Tracing as the process of a service would load it. */
function load(variables: Record<string, string>) {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
  return loadTracing('gateway', log)
}

const request = { method: 'GET', requestId: 'req-00000001' }

describe('without the standard variables', () => {
  test.each([
    ['nothing is set', {}],
    ['it is turned off', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' }],
    [
      'traces are exported nowhere',
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_EXPORTER: 'none' },
    ],
  ])('there is none: %s', async (_, variables) => {
    expect(await load(variables)).toBeUndefined()
  })
})

describe('with an endpoint', () => {
  test('a span reaches the receiver: its trace, its parent, its name, its service and its status', async () => {
    const receiver = await startReceiver()
    const tracing = await load({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
    const span = tracing?.beginSpan({ ...request, traceparent })
    span?.end({ route: '/v1/reports', status: 503 })
    await tracing?.close()

    expect(receiver.received).toEqual([
      { path: '/v1/traces', type: 'application/x-protobuf', body: expect.any(Buffer) },
    ])
    const body = receiver.received[0]?.body as Buffer
    for (const id of [traceId, parentId, readTraceparent(span?.outgoingTrace.traceparent)?.parentId])
      expect(body.includes(Buffer.from(id as string, 'hex'))).toBe(true)
    for (const text of ['gatehouse-gateway', 'GET /v1/reports', 'http.response.status_code', 'req-00000001'])
      expect(body.includes(text)).toBe(true)
  })

  test('the trace goes on: the same one, our own span as the parent of what follows, the state as it came', async () => {
    const receiver = await startReceiver()
    const tracing = await load({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
    const span = tracing?.beginSpan({ ...request, traceparent, tracestate: 'vendor=1' })
    const outgoingTrace = readTraceparent(span?.outgoingTrace.traceparent)
    expect(span?.traceId).toBe(traceId)
    expect(outgoingTrace).toMatchObject({ traceId, sampled: true })
    expect(outgoingTrace?.parentId).not.toBe(parentId)
    expect(span?.outgoingTrace.tracestate).toBe('vendor=1')
    await tracing?.close()
  })

  test.each([
    ['missing', undefined],
    ['malformed', 'x'],
  ])('a new trace begins where it is %s', async (_, given) => {
    const receiver = await startReceiver()
    const tracing = await load({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
    const [one, other] = [1, 2].map(() => tracing?.beginSpan({ ...request, traceparent: given }))
    expect(readTraceparent(one?.outgoingTrace.traceparent)).toMatchObject({
      traceId: one?.traceId,
      sampled: true,
    })
    expect(one?.traceId).not.toBe(other?.traceId)
    await tracing?.close()
  })

  test('an unsampled trace of the caller is not recorded, and the next service gets the flag', async () => {
    const receiver = await startReceiver()
    const tracing = await load({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
    const span = tracing?.beginSpan({ ...request, traceparent: `00-${traceId}-${parentId}-00` })
    span?.end({ route: undefined, status: 200 })
    await tracing?.close()
    expect(readTraceparent(span?.outgoingTrace.traceparent)).toMatchObject({ traceId, sampled: false })
    expect(receiver.received).toEqual([])
  })

  test('the configured sampler is used, and an unknown one ends the start', async () => {
    const variables = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_SAMPLER: 'always_off' }
    const tracing = await load(variables)
    expect(readTraceparent(tracing?.beginSpan(request).outgoingTrace.traceparent)?.sampled).toBe(false)
    await tracing?.close()
    await expect(load({ ...variables, OTEL_TRACES_SAMPLER: 'sometimes' })).rejects.toThrow(
      'OTEL_TRACES_SAMPLER',
    )
    await expect(
      load({ ...variables, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '7' }),
    ).rejects.toThrow('OTEL_TRACES_SAMPLER_ARG')
  })
})
