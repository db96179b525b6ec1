import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createTurns } from './turns.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const stays = new AbortController().signal

function createFull() {
  const turns = createTurns({ inProgress: 1, waiting: 2, maxWaitMs: 10_000 })
  expect(turns.enter('a', stays)).toBeUndefined()
  return turns
}

describe('a caller with all its turns taken', () => {
  test('503 overloaded: a request that has waited for longer than the bound, and its place is free', async () => {
    const turns = createFull()
    const waits = [turns.enter('a', stays), turns.enter('a', stays)].map((wait) =>
      expect(wait).rejects.toMatchObject({ code: 'overloaded', status: 503 }),
    )
    expect(() => turns.enter('a', stays)).toThrow('overloaded')
    await vi.advanceTimersByTimeAsync(10_000)
    await Promise.all(waits)
    const next = turns.enter('a', stays)
    turns.leave('a')
    await next
    turns.leave('a')
    expect(turns.size).toBe(0)
  })

  test('a request whose client left gives its place up at once', async () => {
    const turns = createFull()
    const client = new AbortController()
    const left = turns.enter('a', client.signal)
    const second = turns.enter('a', stays)
    client.abort()
    await expect(left).rejects.toMatchObject({ code: 'client_closed_request' })
    const third = turns.enter('a', stays)
    for (const wait of [second, third]) {
      turns.leave('a')
      await wait
    }
    turns.leave('a')
    expect(turns.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a client that left before it waits takes no turn', () => {
    const turns = createTurns({ inProgress: 1, waiting: 2, maxWaitMs: 10_000 })
    expect(() => turns.enter('a', AbortSignal.abort())).toThrow('client_closed_request')
    expect(turns.size).toBe(0)
  })
})
