import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { generateSecrets } from '../../dev/secrets.ts'
import { readConfig } from '../../shared/config.ts'
import { hashThreads } from './worker-pool.ts'

const configured = async (environment: Record<string, string>) =>
  readConfig(['PASSWORD_HASH_THREADS'], { ...(await generateSecrets()), ...environment })
    .PASSWORD_HASH_THREADS

test('passwords are hashed by one thread for each core that the origin may use', async () => {
  expect(hashThreads(await configured({}))).toBe(availableParallelism())
  expect(hashThreads(await configured({}), 8)).toBe(8)
  expect(hashThreads(await configured({}), 128)).toBe(64)
})

test('PASSWORD_HASH_THREADS wins over the number of cores', async () => {
  expect(hashThreads(await configured({ PASSWORD_HASH_THREADS: '3' }), 8)).toBe(3)
})
