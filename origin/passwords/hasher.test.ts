import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Problem } from '../../shared/http/errors.ts'
import { createPasswordHasher, type PasswordHasher } from './hasher.ts'
import { createWorkerPool, type WorkerPool } from './worker-pool.ts'

const options = { digestKey: randomBytes(32), cost: 10 }

describe('the password hasher', () => {
  let pool: WorkerPool
  let hasher: PasswordHasher
  beforeAll(async () => {
    pool = createWorkerPool({ threads: 1, queue: 2 })
    hasher = await createPasswordHasher({ pool, ...options })
  })
  afterAll(() => pool.close())

  test('is false for an account that does not exist, with any password', async () => {
    expect(await hasher.matches('correct horse battery', undefined)).toBe(false)
  })

  test('salts: one password twice gives two hashes, and both match', async () => {
    const [one, two] = [
      await hasher.hash('correct horse battery'),
      await hasher.hash('correct horse battery'),
    ]
    expect(one).not.toBe(two)
    expect(await hasher.matches('correct horse battery', one)).toBe(true)
    expect(await hasher.matches('correct horse battery', two)).toBe(true)
  })

  test('does not match under another digest key', async () => {
    const hash = await hasher.hash('correct horse battery')
    const other = await createPasswordHasher({ pool, ...options, digestKey: randomBytes(32) })
    expect(await other.matches('correct horse battery', hash)).toBe(false)
  })

  // A flood of logins is shed, so that it cannot queue up minutes of work for those who come after
  // it.
  test('503 overloaded: tasks beyond the full queue are rejected, the rest is served', async () => {
    const tries = await Promise.allSettled(
      Array.from({ length: 10 }, () => hasher.hash('correct horse battery')),
    )
    const refused = tries.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThan(10)
    for (const { reason } of refused) {
      expect(reason).toBeInstanceOf(Problem)
      expect(reason.code).toBe('overloaded')
    }
    expect(await hasher.matches('wrong', undefined)).toBe(false)
  })
})
