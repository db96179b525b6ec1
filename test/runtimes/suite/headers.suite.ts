import { expect, test } from 'vitest'
import { promisedHeaders } from '../../support/gateway/promised-headers.ts'
import { echo, issuer, send, valuesOf } from './client.ts'

test("security headers: on responses of upstreams, over theirs, on the gateway's own and on rejections", async () => {
  for (const path of [
    '/try/headers',
    '/try/echo',
    '/live',
    '/ready',
    '/try/closed',
    '/try/nowhere',
    '/try/gone',
  ]) {
    expect((await send(path)).headers, path).toMatchObject(promisedHeaders)
  }
})

test('X-Request-Id: taken over, sent upstream and returned', async () => {
  const id = 'a-request-of-mine-42'
  const headers = { 'x-request-id': id }
  expect(valuesOf(await echo('/try/echo', { headers }), 'x-request-id')).toEqual([id])
  expect((await send('/try/nowhere', { headers })).headers['x-request-id']).toBe(id)
})

test('X-Request-Id: generated where it is missing or not fit for a log', async () => {
  for (const headers of [{}, { 'x-request-id': 'two words' }, { 'x-request-id': 'x'.repeat(300) }]) {
    const { headers: answered } = await send('/try/echo', { headers })
    expect(answered['x-request-id']).toMatch(/^[\w-]{20,64}$/)
  }
})

test('Cache-Control: no cache on the way keeps the response of a user', async () => {
  const answer = await send('/try/closed', { token: await issuer.sign() })
  expect(answer.headers['cache-control']).toBe('private, no-store')
  expect((await send('/try/headers')).headers['cache-control']).toBe('max-age=60')
})
