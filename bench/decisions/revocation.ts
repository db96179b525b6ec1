import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createRevocations } from '../../gateway/revocation/revocation-index.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import { createLog } from '../../shared/node/log.ts'
import { connectRedis } from '../../shared/node/redis.ts'
import { startPrivateRedis } from '../../tools/servers/redis/redis.ts'
import { user } from '../gateway/environment/tokens.ts'
import { printCosts } from './processor-cost.ts'

/**
 * The cost for the gateway to check one token against 10,000 ended sessions: in its memory, and in
 * Redis. And the memory that an ended session takes in the gateway.
 */

const ended = 10_000
const at = Date.now()
const revocations = createRevocations({ now: Date.now })
revocations.apply(
  Array.from({ length: ended }, (_, number) => ({
    scope: 'session' as const,
    subject: `session-${number}`,
    epoch: null,
    until: at + 900_000,
    at,
  })),
)
revocations.markLoaded()
const identity: Identity = user(1)

const server = await startPrivateRedis()
const redis = connectRedis(server.url, createLog('bench', 'error'))
await new Promise((resolve) => redis.once('ready', resolve))

await printCosts([{ name: 'in memory', work: () => revocations.throwIfRevoked(identity) }], {
  times: 1_000_000,
  concurrent: 1,
})
await printCosts([{ name: 'EXISTS in Redis', work: () => redis.exists(`revoked:${identity.sid}`) }], {
  times: 50_000,
  concurrent: 64,
})
redis.disconnect()
await server.stop()

const held = 1_000_000
const batch = 1000
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')
const heapBytes = () => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}
const index = createRevocations({ now: Date.now })
const before = heapBytes()
for (let applied = 0; applied < held; applied += batch)
  index.apply(
    Array.from({ length: batch }, () => ({
      scope: 'session' as const,
      subject: crypto.randomUUID(),
      epoch: null,
      until: at + 900_000,
      at,
    })),
  )
process.stdout.write(`an ended session in memory: ${Math.round((heapBytes() - before) / held)} bytes\n`)
index.markLoaded()
