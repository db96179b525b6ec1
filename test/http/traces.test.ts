import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TracedRequest, TracedResponse } from '../../shared/http/tracing.ts'
import { closedRow, openRow } from '../support/gateway/gateway-harness.ts'
import { ask, closeSockets, startGatewayWithUpstream } from '../support/gateway/sockets.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`
const own = { traceparent: `00-${traceId}-1111111111111111-01`, tracestate: undefined }

type Options = Parameters<typeof startGatewayWithUpstream>[1]

let seen: Record<string, unknown>[]
beforeEach(() => {
  seen = []
})
afterEach(closeSockets)

/** A gateway before an upstream whose last request's headers are kept. */
const start = (options: Options = {}) =>
  startGatewayWithUpstream(
    (request, response) => {
      seen.push(request.headers)
      response.end('{}')
    },
    { policy: [openRow, closedRow], ...options },
  )

const lineOf = (lines: Record<string, unknown>[]) => lines.find(({ msg }) => msg === 'request')

describe('without a collector of spans', () => {
  test('the trace of the caller is passed on unchanged, and is in the log', async () => {
    const { port, lines } = await start()
    const headers = { traceparent, tracestate: 'vendor=1', baggage: 'tenant=7' }
    await ask(port, { path: '/open', headers })
    expect(seen[0]).toMatchObject(headers)
    await expect.poll(() => lineOf(lines)).toMatchObject({ trace_id: traceId })
  })

  test('it is in the log of a rejection, too', async () => {
    const { port, lines } = await start({ environment: {} })
    await ask(port, { path: '/closed', headers: { traceparent, authorization: 'Bearer x' } })
    await expect
      .poll(() => lines.find(({ msg }) => msg === 'request refused'))
      .toMatchObject({ trace_id: traceId, code: 'invalid_token' })
  })

  test('a malformed traceparent is not passed on, nor its state', async () => {
    const { port, lines } = await start()
    await ask(port, {
      path: '/open',
      headers: { traceparent: 'x', tracestate: 'a=1', baggage: 'x'.repeat(9000) },
    })
    for (const name of ['traceparent', 'tracestate', 'baggage']) expect(seen[0]).not.toHaveProperty(name)
    await expect.poll(() => lineOf(lines)).toBeDefined()
    expect(lineOf(lines)).not.toHaveProperty('trace_id')
  })

  test('none is begun', async () => {
    const { port } = await start()
    await ask(port, { path: '/open' })
    expect(seen[0]).not.toHaveProperty('traceparent')
  })
})

describe('where spans are collected', () => {
  test('the span of the gateway is the parent of those of the upstream, and ends with row and status', async () => {
    const begun: TracedRequest[] = []
    const ended: TracedResponse[] = []
    const { port, lines } = await start({
      beginSpan: (request) => {
        begun.push(request)
        return { traceId, outgoingTrace: own, end: (answer) => ended.push(answer) }
      },
    })
    await ask(port, { path: '/open?a=b', headers: { traceparent, 'x-request-id': 'req-00000001' } })
    expect(seen[0]).toMatchObject({ traceparent: own.traceparent })
    await expect.poll(() => ended).toEqual([{ route: '/open', status: 200 }])
    expect(begun).toEqual([{ method: 'GET', requestId: 'req-00000001', traceparent, tracestate: undefined }])
    expect(lineOf(lines)).toMatchObject({ trace_id: traceId })
  })

  test('a request that the gateway rejects or responds to itself has one as well', async () => {
    const ended: TracedResponse[] = []
    const { port } = await start({
      beginSpan: () => ({ traceId, outgoingTrace: own, end: (answer) => ended.push(answer) }),
    })
    for (const path of ['/closed', '/nowhere', '/live']) await ask(port, { path })
    await expect
      .poll(() => ended)
      .toEqual([
        { route: '/closed', status: 401 },
        { route: undefined, status: 404 },
        { route: '/live', status: 200 },
      ])
  })
})
