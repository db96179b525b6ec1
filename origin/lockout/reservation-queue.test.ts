import { expect, test } from 'vitest'
import { createReservationQueue } from './reservation-queue.ts'

/** Database queries that a test resolves. */
function createQuestions() {
  const asked: ((claim: string | undefined) => void)[] = []
  return { asked, ask: () => new Promise<string | undefined>((resolve) => asked.push(resolve)) }
}

const until = (asked: unknown[], count: number) =>
  expect.poll(() => asked.length, { interval: 2 }).toBe(count)

test('an attempt that ends while the first of the queue polls is not missed: it polls again at once', async () => {
  const queue = createReservationQueue({ limit: 10, maxWaitMs: 60_000, pollMs: 60_000 })
  const { asked, ask } = createQuestions()
  const first = queue.wait('counter', ask)
  await until(asked, 1)
  queue.wake('counter')
  asked[0]?.(undefined)
  await until(asked, 2)
  asked[1]?.('claimed')
  expect(await first).toBe('claimed')
})

test('one end wakes one question, and the next waits for the next end', async () => {
  const queue = createReservationQueue({ limit: 10, maxWaitMs: 60_000, pollMs: 60_000 })
  const { asked, ask } = createQuestions()
  const turns = [queue.wait('counter', ask), queue.wait('counter', ask)]
  await until(asked, 1)
  asked[0]?.(undefined)
  queue.wake('counter')
  await until(asked, 2)
  asked[1]?.('first')
  await until(asked, 3)
  asked[2]?.('second')
  expect(await Promise.all(turns)).toEqual(['first', 'second'])
  expect(queue.has('counter')).toBe(false)
})

test('503 overloaded: as many as may wait do, one more does not', async () => {
  const queue = createReservationQueue({ limit: 1, maxWaitMs: 60_000 })
  const { asked, ask } = createQuestions()
  const first = queue.wait('counter', ask)
  expect(queue.has('counter')).toBe(true)
  await expect(queue.wait('counter', ask)).rejects.toMatchObject({ code: 'overloaded', status: 503 })
  await until(asked, 1)
  asked[0]?.('claimed')
  expect(await first).toBe('claimed')
})
