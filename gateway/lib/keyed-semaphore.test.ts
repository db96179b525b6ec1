import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createKeyedSemaphore } from './keyed-semaphore.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const stays = new AbortController().signal

function createFull() {
  const semaphore = createKeyedSemaphore({ inProgress: 1, waiting: 2, maxWaitMs: 10_000 })
  expect(semaphore.acquire('a', stays)).toBeUndefined()
  return semaphore
}

describe('a caller with all its turns taken', () => {
  test('503 overloaded: a request that has waited for longer than the bound, and its place is free', async () => {
    const semaphore = createFull()
    const waits = [semaphore.acquire('a', stays), semaphore.acquire('a', stays)].map((wait) =>
      expect(wait).rejects.toMatchObject({ code: 'overloaded', status: 503 }),
    )
    expect(() => semaphore.acquire('a', stays)).toThrow('overloaded')
    await vi.advanceTimersByTimeAsync(10_000)
    await Promise.all(waits)
    const next = semaphore.acquire('a', stays)
    semaphore.release('a')
    await next
    semaphore.release('a')
    expect(semaphore.size).toBe(0)
  })

  test('a request whose client left gives its place up at once', async () => {
    const semaphore = createFull()
    const client = new AbortController()
    const left = semaphore.acquire('a', client.signal)
    const second = semaphore.acquire('a', stays)
    client.abort()
    await expect(left).rejects.toMatchObject({ code: 'client_closed_request' })
    const third = semaphore.acquire('a', stays)
    for (const wait of [second, third]) {
      semaphore.release('a')
      await wait
    }
    semaphore.release('a')
    expect(semaphore.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a client that left before it waits gets no slot', () => {
    const semaphore = createKeyedSemaphore({ inProgress: 1, waiting: 2, maxWaitMs: 10_000 })
    expect(() => semaphore.acquire('a', AbortSignal.abort())).toThrow('client_closed_request')
    expect(semaphore.size).toBe(0)
  })
})
