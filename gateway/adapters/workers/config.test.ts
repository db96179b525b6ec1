import { expect, test } from 'vitest'
import { generateSecrets } from '../../../dev/secrets.ts'
import { ConfigError } from '../../../shared/config.ts'
import { readWorkerConfig } from './config.ts'

const { ASSERTION_PRIVATE_JWK } = await generateSecrets()
const good = { ASSERTION_PRIVATE_JWK, REDIS_URL: 'rediss://cache.example.com' }

function reasonsOf(env: Record<string, unknown>): readonly string[] {
  try {
    readWorkerConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.reasons
    throw error
  }
}

test('variables are read; bindings other than strings are ignored', () => {
  const config = readWorkerConfig({ ...good, CORS_ORIGINS: 'https://app.example.com', KV: { get: () => {} } })
  expect(config).toMatchObject({ REDIS_URL: good.REDIS_URL, CORS_ORIGINS: ['https://app.example.com'] })
})

/** Values that would do elsewhere; 1 for the others. */
const usable: Record<string, string> = {
  GATEWAY_PAGES: 'docs',
  GATEWAY_FAST_PATH: 'true',
  REVOCATION_REDIS_URL: 'none',
}

test.each([
  'HOST',
  'GATEWAY_PORT',
  'DRAIN_SECONDS',
  'DRAIN_DELAY_SECONDS',
  'CLIENT_STALL_SECONDS',
  'GATEWAY_FAST_PATH',
  'METRICS_HOST',
  'GATEWAY_METRICS_PORT',
  'POLICY_FILE',
  'GATEWAY_PAGES',
  'UPSTREAM_REQUESTS',
  'REVOCATION_REDIS_URL',
])('%s is rejected, with the reason', (name) => {
  expect(reasonsOf({ ...good, [name]: usable[name] ?? '1' })).toEqual([
    expect.stringMatching(`^${name} .{20}`),
  ])
})

test('a Worker without REDIS_URL does not start', () => {
  expect(reasonsOf({ ASSERTION_PRIVATE_JWK })).toEqual([expect.stringMatching('^REDIS_URL is missing')])
})

test('REDIS_URL with files is rejected, with the reason', () => {
  expect(reasonsOf({ ...good, REDIS_URL: 'rediss://one?ca_file=/etc/ca.pem' })).toEqual([
    expect.stringMatching('^REDIS_URL names files'),
  ])
})

test.each(['redis://one,two', 'rediss-cluster://cfg.example', 'redis-sentinel://one/name'])(
  'REDIS_URL=%s is rejected, with the reason',
  (REDIS_URL) => {
    expect(reasonsOf({ ...good, REDIS_URL })).toEqual([
      expect.stringMatching('^REDIS_URL names a cluster or Sentinels'),
    ])
  },
)

test('all faults are listed at once, with those of every runtime', () => {
  expect(reasonsOf({ POLICY_FILE: 'policy.yaml', REDIS_URL: 'http://x', GATEWAY_TYPO: '1' })).toEqual([
    expect.stringMatching('^POLICY_FILE names a file'),
    expect.stringMatching('^REDIS_URL: must begin with redis://'),
    expect.stringMatching('^ASSERTION_PRIVATE_JWK is missing'),
    expect.stringMatching('^GATEWAY_TYPO is not a variable'),
  ])
})
