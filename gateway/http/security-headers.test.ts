import { expect, test } from 'vitest'
import { bearer } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { promisedHeaders } from '../../test/support/gateway/promised-headers.ts'
import { TransportError } from '../ports.ts'

const harness = await createGatewayHarness({
  environment: { LIMIT_ADDRESS_REQUESTS: '3', CORS_ORIGINS: 'https://app.example.com' },
  policy: ['/open', '/closed', '/limited', '/broken', '/refused', '/slow', '/lax'].map((path) =>
    path === '/closed'
      ? { ...openRow, path, who: 'user', limits: ['user'], permissions: { all: ['users.read'] } }
      : { ...openRow, path },
  ),
  upstream({ target }) {
    if (target === '/refused') throw new TransportError('unreachable', new Error('refused'))
    if (target === '/slow') throw new TransportError('timeout', new Error('silent'))
    if (target === '/broken') throw new Error('a fault of our own')
    if (target === '/lax')
      return new Response('x', {
        headers: { 'x-frame-options': 'ALLOWALL', 'content-security-policy': '*', 'x-xss-protection': '1' },
      })
    return new Response('x')
  },
})
const token = await harness.issuer.sign()

const preflight = {
  method: 'OPTIONS',
  headers: { origin: 'https://app.example.com', 'access-control-request-method': 'GET' },
}
let callers = 0
const address = () => `203.0.113.${++callers}`

test.each<[number, string, RequestInit & { address?: string }]>([
  [200, '/open', {}],
  [200, '/open', { method: 'HEAD' }],
  [200, '/lax', {}],
  [200, '/live', {}],
  [200, '/ready', {}],
  [204, '/open', preflight],
  [204, '/nowhere', preflight],
  [400, '/a%2fb', {}],
  [401, '/closed', {}],
  [401, '/closed', { headers: bearer('x.y.z') }],
  [403, '/closed', { headers: bearer(token) }],
  [404, '/nowhere', {}],
  [405, '/open', { method: 'POST' }],
  [500, '/broken', {}],
  [502, '/refused', {}],
  [504, '/slow', {}],
])('%i %s has the whole set, over headers of the upstream', async (status, path, init) => {
  const answer = await harness.call(path, { address: address(), ...init })
  expect(answer.status).toBe(status)
  expect(Object.fromEntries(answer.headers)).toMatchObject(promisedHeaders)
})

test('429 has the whole set', async () => {
  const caller = address()
  for (let i = 0; i < 3; i++) await harness.call('/limited', { address: caller })
  const answer = await harness.call('/limited', { address: caller })
  expect(answer.status).toBe(429)
  expect(Object.fromEntries(answer.headers)).toMatchObject(promisedHeaders)
})
