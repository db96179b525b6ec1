import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { statedLength, zipped } from '../upstream.ts'
import { echo, issuer, json, newAddress, newId, send, valuesOf } from './client.ts'

const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('every method arrives as it was sent, with its body', async () => {
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    const body = method === 'GET' ? '' : `body of ${method}`
    const seen = await echo('/try/echo', { method, ...(body && { body }) })
    expect(seen).toMatchObject({ method, bytes: body.length, sha256: hash(Buffer.from(body)) })
  }
})

test('400 body_not_allowed: a GET with a body, which no runtime drops or forwards', async () => {
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    const answer = await send('/try/echo', { body: 'body', headers })
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({ code: 'body_not_allowed' })
  }
})

test('a body of a mebibyte arrives whole, and so does one in chunks', async () => {
  const body = randomBytes(1024 ** 2)
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    const seen = await echo(`/try/echo/${newId()}`, { method: 'POST', body, headers })
    expect(seen).toMatchObject({ bytes: body.length, sha256: hash(body) })
  }
})

test('an encoded body of a request arrives untouched', async () => {
  const body = gzipSync('plain '.repeat(100))
  const seen = await echo('/try/echo', { method: 'POST', body, headers: { 'content-encoding': 'gzip' } })
  expect(seen).toMatchObject({ bytes: body.length, sha256: hash(body) })
  expect(valuesOf(seen, 'content-encoding')).toEqual(['gzip'])
})

test('identity headers of a client are never forwarded, in any spelling', async () => {
  const forged = {
    'Gatehouse-Assertion': 'forged',
    gatehouse_assertion: 'forged',
    'gatehouse-user': 'forged',
  }
  const seen = await echo('/try/closed', { token: await issuer.sign(), headers: forged })
  expect(seen.rawHeaders).not.toContain('forged')
  expect(valuesOf(seen, 'gatehouse-assertion')).toHaveLength(1)
})

test('the token and our cookies stay with the gateway; other cookies go on', async () => {
  const headers = { cookie: 'a=1; __Host-gatehouse_refresh=secret; b=2' }
  const seen = await echo('/try/closed', { token: await issuer.sign(), headers })
  expect(valuesOf(seen, 'authorization')).toEqual([])
  expect(valuesOf(seen, 'cookie').join('; ')).toBe('a=1; b=2')
})

test('forwarding headers of a client are rebuilt; Via is added', async () => {
  const address = newAddress()
  const seen = await echo('/try/echo', {
    address: `198.51.100.1, ${address}`,
    headers: {
      'x-real-ip': '198.51.100.2',
      forwarded: 'for=198.51.100.3',
      'x-forwarded-host': 'evil.example',
    },
  })
  expect(valuesOf(seen, 'x-forwarded-for')).toEqual([address])
  expect(seen.rawHeaders.join(' ')).not.toMatch(/198\.51\.100|evil\.example/)
  expect(valuesOf(seen, 'x-forwarded-proto')).toEqual(['http'])
  expect(valuesOf(seen, 'via')).toEqual([expect.stringMatching(/^1\.1 gatehouse-[0-9a-f]{12}$/)])
})

test('headers that belong to one connection end at the gateway', async () => {
  const headers = { te: 'trailers', 'proxy-authorization': 'Basic x', 'keep-alive': 'timeout=99' }
  const seen = await echo('/try/echo', { headers })
  for (const name of Object.keys(headers)) expect(valuesOf(seen, name), name).toEqual([])
})

test('headers that Connection names end at the gateway', async () => {
  const seen = await echo('/try/echo', { headers: { connection: 'close, x-mine', 'x-mine': 'hop' } })
  expect(valuesOf(seen, 'x-mine')).toEqual([])
})

test('of a response go on: its own headers and each of its cookies; not what reveals or belongs to us', async () => {
  const { headers } = await send('/try/headers')
  expect(headers['set-cookie']).toEqual(['a=1; Path=/', 'b=2; Path=/'])
  expect(headers).toMatchObject({ 'x-own': 'kept', via: '1.1 gatehouse' })
  for (const name of [
    'server',
    'x-powered-by',
    'gatehouse-assertion',
    'access-control-allow-origin',
    'x-hop',
  ])
    expect(headers, name).not.toHaveProperty(name)
})

test('a redirect is passed on, not followed', async () => {
  const answer = await send('/try/status/302')
  expect(answer.status).toBe(302)
  expect(answer.headers.location).toBe('http://elsewhere.example/')
})

test('204 and 304 have no body and no length, and 304 its ETag', async () => {
  for (const status of [204, 304]) {
    const answer = await send(`/try/status/${status}`)
    expect(answer.status).toBe(status)
    expect(answer.body).toHaveLength(0)
    expect(answer.headers).not.toHaveProperty('content-length')
    expect(answer.headers.etag).toBe('"e"')
  }
})

test('HEAD: the length of the GET response, and no body', async () => {
  const answer = await send('/try/length', { method: 'HEAD' })
  expect(answer.status).toBe(200)
  expect(answer.headers['content-length']).toBe(String(statedLength))
  expect(answer.body).toHaveLength(0)
})

test('an encoded body of a response goes on untouched, with its length and its ETag', async () => {
  const answer = await send('/try/gzip', { headers: { 'accept-encoding': 'gzip' } })
  expect(answer.headers).toMatchObject({
    'content-encoding': 'gzip',
    'content-length': String(zipped.length),
    etag: '"zipped"',
  })
  expect(answer.body.equals(zipped)).toBe(true)
})

test('an encoded body goes on untouched to a client that did not ask for one', async () => {
  const answer = await send('/try/gzip')
  expect(answer.headers['content-encoding']).toBe('gzip')
  expect(answer.body.equals(zipped)).toBe(true)
})
