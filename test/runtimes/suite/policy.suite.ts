import { expect, inject, test } from 'vitest'
import { type Echo, echo, issuer, json, newId, outcome, seen, send, valuesOf } from './client.ts'

test('404 not_found: what no row names never reaches an upstream', async () => {
  const id = newId()
  expect(outcome(await send(`/try/nowhere/${id}`))).toBe('404 not_found')
  expect(await seen(id)).toBeNull()
})

test('404 not_found: no row leads to the internal API of the origin', async () => {
  for (const path of ['/internal/gateway/revocations', '/internal/gateway/plans'])
    expect(outcome(await send(path))).toBe('404 not_found')
})

test('405 method_not_allowed: with Allow', async () => {
  const answer = await send('/try/gzip', { method: 'DELETE' })
  expect(outcome(answer)).toBe('405 method_not_allowed')
  expect(answer.headers.allow).toBe('GET, HEAD, OPTIONS')
})

test('405 method_not_allowed: POST /live; HEAD /live is 200', async () => {
  const answer = await send('/live', { method: 'POST', body: 'x' })
  expect(outcome(answer)).toBe('405 method_not_allowed')
  expect(answer.headers.allow).toBe('GET, HEAD, OPTIONS')
  expect(outcome(await send('/live', { method: 'HEAD' }))).toBe('200')
})

test('204: OPTIONS of a row, with Allow; 404 not_found: without a row', async () => {
  const answer = await send('/try/gzip', { method: 'OPTIONS' })
  expect(outcome(answer)).toBe('204')
  expect(answer.headers.allow).toBe('GET, HEAD, OPTIONS')
  expect(outcome(await send('/try/nowhere', { method: 'OPTIONS' }))).toBe('404 not_found')
})

test('the absolute form of a target is served as its path; its scheme is not believed', async () => {
  const host = `127.0.0.1:${inject('gatewayPort')}`
  const seen = await echo(`http://${host}/try/echo?x=1`)
  expect(seen.url).toBe('/try/echo?x=1')
  expect(valuesOf(seen, 'x-forwarded-host')).toEqual([host])
  // The trusted proxy could report https; here it reports no scheme.
  const claimed = await send(`https://${host}/try/echo`)
  if (claimed.status === 200)
    expect(valuesOf(json(claimed) as unknown as Echo, 'x-forwarded-proto')).toEqual(['http'])
})

test('400 bad_request: a path that can be read in two ways', async () => {
  const id = newId()
  for (const path of [
    '/try//echo',
    '/try%2fecho',
    `/try/echo%5c${id}`,
    `/try/echo/..;${id}`,
    `/try/echo/${id}%252f`,
    `/try/echo/${id}%00`,
  ])
    expect(outcome(await send(path)), path).toBe('400 bad_request')
  expect(await seen(id)).toBeNull()
})

test('dot segments: rejected, or another path, and never what the upstream resolves by itself', async () => {
  const id = newId()
  for (const path of [`/try/x/%2e%2e/echo/${id}/..`, `/nowhere/../internal/${id}`])
    expect([400, 404], path).toContain((await send(path)).status)
  expect(await seen(id)).toBeNull()
})

test('needless encodings are decoded; other ones, percent signs and semicolons arrive as they were sent', async () => {
  expect((await echo('/%74ry/echo/%41%2D%7e')).url).toBe('/try/echo/A-~')
  for (const target of ['/try/echo/100%25', '/try/echo/a;v=1', '/try/echo/caf%C3%A9'])
    expect((await echo(target)).url).toBe(target)
})

test('path parameters and query arrive as they were sent', async () => {
  const target = '/try/echo/a%20b?q=1&q=2%2F3&empty=&plus=a+b'
  expect((await echo(target)).url).toBe(target)
})

test('401 token_missing: a row for users, with a bare challenge', async () => {
  const answer = await send('/try/closed')
  expect(outcome(answer)).toBe('401 token_missing')
  expect(answer.headers['www-authenticate']).toBe('Bearer')
})

test('403 permission_required: none of the permissions of a row; 200: one of them', async () => {
  const lacking = await send('/try/any-permission', { token: await issuer.sign() })
  expect(outcome(lacking)).toBe('403 permission_required')
  expect(lacking.headers['www-authenticate']).toBe('Bearer error="insufficient_scope"')
  const token = await issuer.sign({ permissions: ['analytics.read'] })
  expect(outcome(await send('/try/any-permission', { token }))).toBe('200')
})

test('403 level_required: below the level of a row; 200: at it', async () => {
  expect(outcome(await send('/try/level', { token: await issuer.sign({ level: 89 }) }))).toBe(
    '403 level_required',
  )
  expect(outcome(await send('/try/level', { token: await issuer.sign({ level: 90 }) }))).toBe('200')
})

test('403 feature_required: with the cheapest plan that has it, from the origin', async () => {
  const answer = await send('/try/feature', { token: await issuer.sign() })
  expect(outcome(answer)).toBe('403 feature_required')
  expect(json(answer)).toMatchObject({ required_feature: 'premium_dashboard', current_plan: 'free' })
  expect(json(answer).minimum_plan).toEqual(expect.any(String))
})

test('200: a row of the file beside those in code, to an upstream that checks the assertion', async () => {
  const token = await issuer.sign({ features: ['premium_dashboard'], email: 'grace@example.com' })
  const answer = await send('/v1/reports', { token })
  expect(outcome(answer)).toBe('200')
  expect(json(answer)).toMatchObject({ prepared_for: 'grace@example.com' })
})
