import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json, text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { openRow, postRow } from '../support/gateway/gateway-harness.ts'
import { ask, closeSockets, startGatewayWithUpstream } from '../support/gateway/sockets.ts'

afterEach(closeSockets)

const refusal = JSON.stringify({ code: 'untrusted_caller' })

/** An upstream that trusts no gateway until `trust` is called, and a gateway before it. */
async function startDistrusted() {
  let isTrusted = false
  const refuse = (_request: IncomingMessage, response: ServerResponse) =>
    response.writeHead(401, { 'www-authenticate': 'Gatehouse-Assertion' }).end(refusal)
  const gatewayWithUpstream = await startGatewayWithUpstream(
    (request, response) => {
      if (isTrusted) response.end('trusted')
      else refuse(request, response)
    },
    {
      environment: { LIMIT_FAILURES: '5' },
      policy: [
        openRow,
        { ...postRow, limits: ['credentials'], body_bytes: 20_000_000 },
        { ...openRow, path: '/socket', websocket: true },
      ],
    },
  )
  const trust = () => {
    isTrusted = true
  }
  return { ...gatewayWithUpstream, trust }
}

const requests = {
  'a GET': { method: 'GET' },
  'a HEAD': { method: 'HEAD' },
  'a POST': { method: 'POST', body: 'guess' },
  'a POST that is still arriving': { method: 'POST', body: Buffer.alloc(10_000_000) },
}

test.each(Object.entries(requests))(
  '502 assertion_refused: %s, and no failed attempt',
  async (_, request) => {
    const { port, trust, metrics } = await startDistrusted()
    for (let i = 0; i < 7; i++) {
      const response = await ask(port, request)
      expect(response.statusCode).toBe(502)
      expect(response.headers['retry-after']).toBe('5')
      expect(response.headers['www-authenticate']).toBeUndefined()
      if (request.method === 'HEAD') expect(await text(response)).toBe('')
      else expect(await json(response)).toMatchObject({ status: 502, code: 'assertion_refused' })
    }
    expect(metrics.values.assertionRejections.get('reports')).toBe(7)
    trust()
    expect((await ask(port, request)).statusCode).toBe(200)
  },
)

test('502 assertion_refused: a WebSocket', async () => {
  const { port, metrics } = await startDistrusted()
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`)
  socket.on('error', () => {})
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  expect(response.statusCode).toBe(502)
  expect(await json(response)).toMatchObject({ code: 'assertion_refused' })
  expect(metrics.values.assertionRejections.get('reports')).toBe(1)
})
