import { expect, test } from 'vitest'
import { echo, issuer, send, valuesOf } from './client.ts'

/** The set as it is promised, written out once more, so that none is lost by an edit over there. */
const promised = {
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
}

test('security headers: on answers of upstreams, over theirs, on our own and on refusals', async () => {
  for (const path of [
    '/try/headers',
    '/try/echo',
    '/live',
    '/ready',
    '/try/closed',
    '/try/nowhere',
    '/try/gone',
  ]) {
    expect((await send(path)).headers, path).toMatchObject(promised)
  }
})

test('X-Request-Id: taken over, sent upstream and answered', async () => {
  const id = 'a-request-of-mine-42'
  const headers = { 'x-request-id': id }
  expect(valuesOf(await echo('/try/echo', { headers }), 'x-request-id')).toEqual([id])
  expect((await send('/try/nowhere', { headers })).headers['x-request-id']).toBe(id)
})

test('X-Request-Id: made where there is none or none that is fit for a log', async () => {
  for (const headers of [{}, { 'x-request-id': 'two words' }, { 'x-request-id': 'x'.repeat(300) }]) {
    const { headers: answered } = await send('/try/echo', { headers })
    expect(answered['x-request-id']).toMatch(/^[\w-]{20,64}$/)
  }
})

test('Cache-Control: what one user was told is kept by no cache on the way', async () => {
  const answer = await send('/try/closed', { token: await issuer.sign() })
  expect(answer.headers['cache-control']).toBe('private, no-store')
  expect((await send('/try/headers')).headers['cache-control']).toBe('max-age=60')
})
