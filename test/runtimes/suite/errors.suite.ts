import { expect, test } from 'vitest'
import { echo, issuer, json, newId, outcome, seen, send, valuesOf } from './client.ts'

test('every rejection is problem+json with status, code and the request id of the head', async () => {
  const token = await issuer.sign()
  for (const [path, status] of [
    ['/try/nowhere', 404],
    ['/try/closed', 401],
    ['/try//echo', 400],
    ['/try/gone', 502],
    ['/try/level', 403],
  ] as const) {
    const answer = await send(path, status === 403 ? { token } : {})
    expect(answer.status, path).toBe(status)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(json(answer)).toMatchObject({
      status,
      request_id: answer.headers['x-request-id'],
      code: expect.any(String),
    })
  }
})

test('502 upstream_unreachable: connection rejected, which the body does not reveal; with Retry-After', async () => {
  const answer = await send('/try/gone')
  expect(outcome(answer)).toBe('502 upstream_unreachable')
  expect(answer.headers['retry-after']).toBe('1')
  expect(answer.body.toString()).not.toMatch(/127\.0\.0\.1|ECONN|refused/i)
})

test('508 loop_detected: a request that has passed through this gateway before, by its Via', async () => {
  const [via = ''] = valuesOf(await echo('/try/echo'), 'via')
  expect(outcome(await send('/try/echo', { headers: { via: `1.1 cdn, ${via}` } }))).toBe('508 loop_detected')
  expect((await send('/try/echo', { headers: { via: '1.1 cdn' } })).status).toBe(200)
})

test('504 upstream_timeout: no head within the deadline of the row, and the upstream request is aborted', async () => {
  const id = newId()
  expect(outcome(await send(`/try/hold/${id}/late`))).toBe('504 upstream_timeout')
  await expect.poll(async () => (await seen(id))?.abandoned).toBe(true)
})

test('400 client_address_unknown: a request that did not come through the expected proxy', async () => {
  expect(outcome(await send('/try/echo', { address: 'unknown' }))).toBe('400 client_address_unknown')
})

test('an error of the upstream is passed on as it is', async () => {
  for (const status of [404, 409, 500, 503]) expect((await send(`/try/status/${status}`)).status).toBe(status)
})

test('413 body_too_large: by its Content-Length, before the upstream is called', async () => {
  const id = newId()
  const answer = await send(`/try/small/${id}`, { method: 'POST', body: '01234567890' })
  expect(outcome(answer)).toBe('413 body_too_large')
  expect(json(answer).limit_bytes).toBe(10)
  expect(await seen(id)).toBeNull()
})

test('413 body_too_large: chunked, and the upstream never gets all of it', async () => {
  const chunked = { 'transfer-encoding': 'chunked' }
  for (const [kind, bytes] of [
    ['small', 11],
    ['echo', 1024 ** 2 + 1],
  ] as const) {
    const id = newId()
    const body = Buffer.alloc(bytes, 'x')
    const answer = await send(`/try/${kind}/${id}`, { method: 'POST', headers: chunked, body })
    expect(outcome(answer), kind).toBe('413 body_too_large')
    expect((await seen(id))?.complete ?? false).toBe(false)
  }
})
