import { expect, test } from 'vitest'
import { ConfigError } from '../shared/config.ts'
import { requireRedisInProduction } from './config.ts'

test('production without REDIS_URL is refused: each gateway would count alone', () => {
  expect(() => requireRedisInProduction({ NODE_ENV: 'production', REDIS_URL: undefined })).toThrow(
    ConfigError,
  )
})

test('production with one starts, and so does development without', () => {
  expect(() => requireRedisInProduction({ NODE_ENV: 'production', REDIS_URL: 'redis://redis' })).not.toThrow()
  expect(() => requireRedisInProduction({ NODE_ENV: 'development', REDIS_URL: undefined })).not.toThrow()
})
