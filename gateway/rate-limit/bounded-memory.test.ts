import { hash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { addressKey } from '../../shared/http/address-key.ts'
import { importNodeSigner, importNodeVerifier } from '../../shared/node/keys.ts'
import { audience, createIssuer, issuer as issuerUrl } from '../../test/support/gateway/issuer.ts'
import { limitOf } from '../../test/support/gateway/limit.ts'
import { findClient } from '../decision/client-address.ts'
import { readHeaders } from '../http/request-headers.ts'
import type { Limit } from '../limits/limit-rule.ts'
import { createAssertionSigner } from '../tokens/assertion-signer.ts'
import { createTokenVerifier } from '../tokens/token-verifier.ts'
import { createBatchedConsumer } from './batched-consumer.ts'
import { createLimiter } from './limiter.ts'
import { createMemoryStore } from './memory-store.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const heapBytes = () => {
  collect()
  return process.memoryUsage().heapUsed
}

// Addresses and the names of fields are for an attacker to make up.
test('a million addresses and header names take no more memory than the first hundred thousand', {
  timeout: 120_000,
}, async () => {
  const now = Date.now
  const limitConsumer = createBatchedConsumer({
    rateLimitStore: createMemoryStore({ shared: true, now }),
    now,
    defer: queueMicrotask,
  })
  const limiter = createLimiter({ limitConsumer, now })
  const { rule } = limitOf({ subject: '', windowSeconds: 900 })

  /**
   * Some of them show themselves in a head, and ask until they are refused, so that every map on
   * the way hears of many.
   */
  async function attack(from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) {
      const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
      const limit: Limit = { rule, subject: address, quota: 1, cost: 1 }
      await limiter.count([limit])
      if (i % 10 > 0) continue
      readHeaders([`x-${i}`, 'a'])
      addressKey(findClient(undefined, `::ffff:${address}`, 1).address)
      await Promise.resolve(limiter.count([limit])).catch(() => {})
    }
  }

  await attack(0, 300_000)
  const before = heapBytes()
  await attack(300_000, 1_000_000)
  expect(heapBytes() - before).toBeLessThan(15 * 1024 ** 2)
})

test('100,000 users with their assertions take less than 100 MB, extrapolated from 10,000', {
  timeout: 60_000,
}, async () => {
  const issuer = await createIssuer()
  const isGenuine = await importNodeVerifier(issuer.publicJwk)
  const tokens = createTokenVerifier({
    keys: { find: () => isGenuine },
    issuer: issuerUrl,
    audience,
    recheckSeconds: 300,
    now: Date.now,
    digest: (token) => hash('sha256', token, 'latin1'),
  })
  const signer = await importNodeSigner(issuer.privateJwk)
  const assertionFor = createAssertionSigner({ signer, now: Date.now })
  const features = Array.from({ length: 10 }, (_, i) => `a_feature_of_the_plan_${i}`)
  async function show(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const token = await issuer.sign({ email: `user-${i}@example.com`, features })
      // As a listener has it: cut from a field, of which nothing may be held.
      const caller = await tokens.verify(`Bearer ${token}`.slice('Bearer '.length), '203.0.113.7')
      await assertionFor(caller, 'origin')
    }
  }

  await show(1000)
  const before = heapBytes()
  await show(10_000)
  // Now and then two share a mark.
  expect(tokens.size).toBeGreaterThan(10_990)
  expect((heapBytes() - before) / 10_000).toBeLessThan(1000)
})
