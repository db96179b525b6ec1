import { describe, expect, test } from 'vitest'
import { Problem } from '../../shared/http/errors.ts'
import type * as slowModule from '../../test/support/slow-module.ts'
import type * as worker from './hash-worker.ts'
import { createWorkerPool, secondsToDrain } from './worker-pool.ts'

const task = { digest: 'correct horse battery', cost: 10 }

/**
 * Retry-After of one task too many, where the queue has this many places and the pool knows how
 * long a task takes.
 */
async function retryAfter(queue: number): Promise<number> {
  const pool = createWorkerPool({ threads: 1, queue })
  const run = pool.from<typeof worker>(new URL('./hash-worker.ts', import.meta.url))
  await run('hash', task)
  const tasks = await Promise.allSettled(Array.from({ length: queue + 10 }, () => run('hash', task)))
  await pool.close()
  const shed = tasks.flatMap((ended) => (ended.status === 'rejected' ? [ended.reason] : []))
  expect(shed.length).toBeGreaterThan(0)
  for (const problem of shed) expect(problem).toMatchObject({ code: 'overloaded' })
  const [first] = shed
  return first instanceof Problem ? Number(first.headers['retry-after']) : Number.NaN
}

describe('a queue', () => {
  test('rejects tasks that would wait too long, long before it is full', async () => {
    const pool = createWorkerPool({ threads: 1, queue: 1000, maxWaitSeconds: 1 })
    const run = pool.from<typeof worker>(new URL('./hash-worker.ts', import.meta.url))
    await run('hash', task)
    const tasks = await Promise.allSettled(Array.from({ length: 100 }, () => run('hash', task)))
    await pool.close()
    const shed = tasks.filter(({ status }) => status === 'rejected')
    expect(shed.length).toBeGreaterThan(0)
    expect(shed.length).toBeLessThan(100)
    for (const { reason } of shed as PromiseRejectedResult[])
      expect(reason).toMatchObject({ code: 'overloaded' })
  })
})

interface OrderOptions {
  /** Places in the queue. */
  queue?: number
  /** Options of the task of a letter. */
  optionsOf: (letter: string) => { address?: string | null; isPreferred: boolean }
}

/** The order in which tasks ended that came all at once, each by its letter, or `-` where shed. */
async function endOrder(letters: string, { queue = 100, optionsOf }: OrderOptions): Promise<string> {
  const pool = createWorkerPool({ threads: 1, queue, maxWaitSeconds: 60 })
  const run = pool.from<typeof worker>(new URL('./hash-worker.ts', import.meta.url))
  await run('hash', task)
  let order = ''
  await Promise.all(
    [...letters].map(async (letter) => {
      await run('hash', task, optionsOf(letter)).then(
        () => (order += letter),
        () => (order += '-'),
      )
    }),
  )
  await pool.close()
  return order
}

describe('a preferred task', () => {
  /** `p` is preferred. */
  const orderOf = (letters: string, queue?: number) =>
    endOrder(letters, { ...(queue && { queue }), optionsOf: (letter) => ({ isPreferred: letter === 'p' }) })

  test('goes ahead of others that wait', async () => {
    expect(await orderOf('ooooopp')).toBe('oppoooo')
  })

  test('is taken where the others fill their line, and are shed', async () => {
    expect(await orderOf('oooooop', 3)).toMatch(/^--opooo$/)
  })

  test('runs one of the others after four, so that none waits for ever', async () => {
    expect(await orderOf('ooooopppppppppp')).toBe('oppppoppppoppoo')
  })

  test('is shed, too, where its own line is full', async () => {
    expect(await orderOf('pppppp', 3)).toMatch(/^--pppp$/)
  })
})

describe('client addresses', () => {
  const addresses: Record<string, string> = {
    a: '203.0.113.7',
    b: '203.0.113.8',
    x: '2001:db8:1:2::1',
    y: '2001:db8:1:2::2',
  }

  /** Letters are addresses, capitals preferred tasks. */
  const orderOf = (letters: string, queue?: number) =>
    endOrder(letters, {
      ...(queue && { queue }),
      optionsOf: (letter) => ({
        address: addresses[letter.toLowerCase()] ?? null,
        isPreferred: letter !== letter.toLowerCase(),
      }),
    })

  test('take turns, so one with many tasks delays no other', async () => {
    expect(await orderOf('aaaaab')).toBe('aabaaa')
  })

  test('alternate among preferred tasks, too', async () => {
    expect(await orderOf('AAAAAB')).toBe('AABAAA')
  })

  test('of one IPv6 /64 are one', async () => {
    expect(await orderOf('xxxyb')).toBe('xxbxy')
  })

  test('503 overloaded: beyond a third of the queue, for that address alone', async () => {
    expect(await orderOf('aaaaaabb', 8)).toBe('--aababa')
    expect(await orderOf('AAAAAABB', 8)).toBe('--AABABA')
  })

  test('tasks of requests without an address take a turn like those of one, and may fill the queue', async () => {
    expect(await orderOf('oooooa', 8)).toBe('ooaooo')
    expect(await orderOf('ooooo', 4)).toBe('ooooo')
  })
})

describe('Retry-After of a task that is shed', () => {
  test('is longer behind a longer queue', async () => {
    expect(await retryAfter(25)).toBeGreaterThan(await retryAfter(1))
  }, 60_000)

  test.each([
    ['a queue of the default size at the default cost', { waiting: 64, threads: 2, taskSeconds: 0.725 }, 24],
    ['more threads', { waiting: 64, threads: 8, taskSeconds: 0.725 }, 7],
    ['a second at least', { waiting: 1, threads: 4, taskSeconds: 0.05 }, 1],
    ['a second, where no task has ended yet', { waiting: 64, threads: 2, taskSeconds: Number.NaN }, 1],
  ])('%s', (_, load, seconds) => {
    expect(secondsToDrain(load)).toBe(seconds)
  })
})

// Else the first tasks of a thread would pass for slow ones, and the next ones would be shed.
test('the time that a heavy module takes to load sheds nothing', async () => {
  const heavyModule = new URL('../../test/support/slow-module.ts', import.meta.url)
  const pool = createWorkerPool({ threads: 1, queue: 100, heavyModule })
  const run = pool.from<typeof slowModule>(heavyModule)
  await run('echo', { text: 'first' })
  const texts = Array.from({ length: 40 }, (_, i) => `text ${i}`)
  expect(await Promise.all(texts.map((text) => run('echo', { text })))).toEqual(texts)
  await pool.close()
})
