import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { expect, inject, test } from 'vitest'
import { letGo, newAddress, newId, open, seen } from './client.ts'

/** The next piece of a body. */
async function piece(answer: IncomingMessage): Promise<string> {
  const next = once(answer, 'data') as Promise<[Buffer]>
  answer.resume()
  const [chunk] = await next
  answer.pause()
  return chunk.toString()
}

/** A request whose body is still to come. */
const beginUpload = (id: string) =>
  request({
    port: inject('gatewayPort'),
    host: '127.0.0.1',
    method: 'POST',
    path: `/try/echo/${id}`,
    headers: { 'x-forwarded-for': newAddress() },
  })

test('a response streams: its beginning is here before the upstream has gone on', async () => {
  const id = newId()
  const answer = await open(`/try/stream/${id}`)
  expect(await piece(answer)).toBe('first ')
  await letGo(id)
  expect(await text(answer)).toBe('second')
})

test('server-sent events are not held back', async () => {
  const id = newId()
  const answer = await open(`/try/events/${id}`, { headers: { accept: 'text/event-stream' } })
  expect(answer.headers['content-type']).toBe('text/event-stream')
  expect(await piece(answer)).toBe('data: 1\n\n')
  await letGo(id)
  expect(await piece(answer)).toMatch(/^data: 2\n\n/)
  answer.destroy()
})

test('a request streams: the upstream has its beginning before the client has gone on', async () => {
  const id = newId()
  const sent = beginUpload(id)
  sent.write('first ')
  await expect.poll(async () => (await seen(id))?.receivedBytes).toBe(6)
  sent.end('second')
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  expect(JSON.parse(await text(answer))).toMatchObject({ bytes: 12 })
})

test('an upstream that is cut off in the middle of a body: the client sees an abort, not an end', async () => {
  const id = newId()
  const answer = await open(`/try/cut/${id}`)
  expect(await piece(answer)).toBe('half')
  await letGo(id)
  await expect(text(answer)).rejects.toThrow('aborted')
})

test("an upstream that is silent for longer than its row's idle_seconds: the response and the upstream request are aborted", async () => {
  const id = newId()
  const answer = await open(`/try/stream/${id}/stalled`)
  expect(await piece(answer)).toBe('first ')
  await expect(text(answer)).rejects.toThrow('aborted')
  await expect.poll(async () => (await seen(id))?.abandoned, { timeout: 5000 }).toBe(true)
})

test('a client that leaves in the middle of a response: the upstream request is aborted at its next data', async () => {
  const id = newId()
  const answer = await open(`/try/events/${id}`)
  await piece(answer)
  answer.destroy()
  await letGo(id)
  await expect.poll(async () => (await seen(id))?.abandoned, { timeout: 5000 }).toBe(true)
})

test('a client that leaves in the middle of a response: the upstream request is aborted although it is silent', async () => {
  const id = newId()
  const answer = await open(`/try/events/${id}`)
  await piece(answer)
  expect((await seen(id))?.abandoned).toBe(false)
  answer.destroy()
  await expect.poll(async () => (await seen(id))?.abandoned, { timeout: 5000 }).toBe(true)
})

test('a client that leaves before the response: the upstream request is aborted', async () => {
  const id = newId()
  const asked = request({
    port: inject('gatewayPort'),
    host: '127.0.0.1',
    path: `/try/hold/${id}`,
    headers: { 'x-forwarded-for': newAddress() },
  })
  asked.on('error', () => {})
  asked.end()
  await expect.poll(() => seen(id)).not.toBeNull()
  asked.destroy()
  await expect.poll(async () => (await seen(id))?.abandoned, { timeout: 5000 }).toBe(true)
})

test('a client that leaves in the middle of its request: the upstream never gets all of it, and is aborted', async () => {
  const id = newId()
  const sent = beginUpload(id)
  sent.on('error', () => {})
  sent.write('a part')
  await expect.poll(async () => (await seen(id))?.receivedBytes).toBe(6)
  sent.destroy()
  await expect.poll(() => seen(id), { timeout: 5000 }).toMatchObject({ complete: false, abandoned: true })
})
