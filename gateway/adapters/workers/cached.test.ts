import { expect, test } from 'vitest'
import type { UpstreamRequest } from '../../ports.ts'
import { createCachedTransport, type EdgeCache } from './cached.ts'

const originUrl = 'http://origin.example:8081'

function createCachedFetch(status = 200) {
  const asked: string[] = []
  const kept = new Map<string, Response>()
  const work: Promise<unknown>[] = []
  const cache: EdgeCache = {
    match: async (url) => kept.get(url)?.clone(),
    put: async (url, response) => void kept.set(url, response),
  }
  const transport = createCachedTransport({
    cache,
    originUrl,
    targets: new Set(['/keys']),
    waitUntil: (promise) => work.push(promise),
    transport: async ({ target }) => {
      asked.push(target)
      return Response.json({ number: asked.length }, { status })
    },
  })
  async function ask(request: Partial<UpstreamRequest> = {}) {
    const answer = await transport({
      baseUrl: originUrl,
      target: '/keys',
      method: 'GET',
      headers: new Headers({ 'gatehouse-assertion': 'secret' }),
      body: null,
      signal: new AbortController().signal,
      deadlineMs: 1000,
      idleMs: 1000,
      isFresh: false,
      ...request,
    })
    await Promise.all(work)
    return (await answer.json()) as { number: number }
  }
  return { ask, asked, kept }
}

test('a response that is the same for all is requested once and cached for 10 s, under an internal name', async () => {
  const { ask, kept } = createCachedFetch()
  expect([await ask(), await ask()]).toEqual([{ number: 1 }, { number: 1 }])
  const [[name = '', copy] = []] = [...kept]
  expect(new URL(name).hostname).toBe('gatehouse.invalid')
  expect(copy?.headers.get('cache-control')).toBe('max-age=10')
})

test('nothing else is kept: another target, another upstream, another method, a rejection', async () => {
  const { ask, kept } = createCachedFetch()
  for (const other of [{ target: '/other' }, { baseUrl: 'http://other.example' }, { method: 'POST' }])
    await ask(other)
  expect(kept.size).toBe(0)
  const refusing = createCachedFetch(503)
  await refusing.ask()
  expect(refusing.kept.size).toBe(0)
})
