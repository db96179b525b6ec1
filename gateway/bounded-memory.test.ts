import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { createMemoryCounter } from './adapters/memory.ts'
import { addressKey, clientAddress } from './client-address.ts'
import { createLimit, createLimiter } from './limits.ts'
import { createPermits } from './permits.ts'
import { readFields } from './request-fields.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const heapMb = () => {
  collect()
  return process.memoryUsage().heapUsed / 1024 ** 2
}

// Addresses and the names of fields are for an attacker to make up.
test('a million addresses, and names of fields by the hundred thousand, take no more memory than the first hundred thousands', {
  timeout: 120_000,
}, async () => {
  const now = Date.now
  const permits = createPermits({
    counter: createMemoryCounter({ shared: true, now }),
    now,
    nextTurn: queueMicrotask,
    largestLease: 10,
    replicas: 1,
  })
  const limiter = createLimiter({ permits, now })

  /** Some of them show themselves in a head, and ask until they are refused, so that every map on the way hears of many. */
  async function attack(from: number, to: number): Promise<void> {
    for (let i = from; i < to; i++) {
      const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
      const limit = createLimit({
        name: 'address',
        caller: address,
        quota: 1,
        windowSeconds: 900,
        failuresOnly: false,
      })
      await limiter.count([limit])
      if (i % 10 > 0) continue
      readFields([`x-${i}`, 'a'])
      addressKey(clientAddress({ peer: undefined, forwardedFor: `::ffff:${address}`, trustedHops: 1 }))
      await Promise.resolve(limiter.count([limit])).catch(() => {})
    }
  }

  await attack(0, 300_000)
  const before = heapMb()
  await attack(300_000, 1_000_000)
  expect(heapMb() - before).toBeLessThan(15)
})
