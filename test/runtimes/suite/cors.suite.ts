import { expect, test } from 'vitest'
import { allowedOrigin } from '../gateway.ts'
import { send } from './client.ts'

test('an allowed origin reads responses and rejections, with credentials; Vary has Origin', async () => {
  for (const path of ['/try/echo', '/try/closed', '/try/nowhere']) {
    const { headers } = await send(path, { headers: { origin: allowedOrigin } })
    expect(headers, path).toMatchObject({
      'access-control-allow-origin': allowedOrigin,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': expect.stringContaining('RateLimit'),
      vary: expect.stringContaining('Origin'),
    })
  }
})

test('204: a preflight, without a token', async () => {
  const { status, headers } = await send('/try/closed', {
    method: 'OPTIONS',
    headers: {
      origin: allowedOrigin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization,if-match,traceparent,x-csrf-token',
    },
  })
  expect(status).toBe(204)
  expect(headers['access-control-allow-headers']).toContain('Authorization')
  for (const name of ['if-match', 'traceparent', 'x-csrf-token'])
    expect(headers['access-control-allow-headers']?.toLowerCase().split(',')).toContain(name)
})

test('null, another port, a suffix and a prefix of an allowed origin are rejected', async () => {
  for (const origin of [
    'null',
    `${allowedOrigin}:8443`,
    `${allowedOrigin}.evil.example`,
    'https://evil-app.example.com',
  ]) {
    const { headers } = await send('/try/headers', { headers: { origin } })
    expect(headers, origin).not.toHaveProperty('access-control-allow-origin')
    expect(headers.vary).toContain('Origin')
  }
})
