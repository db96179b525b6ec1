import type { TcpProxy } from '../../support/tcp-proxy.ts'
import type { Random } from '../random.ts'

/**
 * Faults of the connections through a proxy: refused, silent in both directions (half-open), open
 * ones that carry nothing any more while new ones work, responses that get lost, and delay.
 */
const kinds = ['refuse', 'silence', 'abandon', 'loseReplies', 'delay'] as const

/** Longer than a gateway waits for Redis, and far shorter than any other deadline. */
const delayMs = 80

/** @returns the fault's name, and how it begins and ends */
export function linkFault(random: Random, proxies: readonly TcpProxy[]) {
  const kind = random.pick(kinds)
  return {
    kind,
    begin() {
      for (const proxy of proxies) proxy[kind](delayMs)
    },
    end() {
      for (const proxy of proxies) {
        proxy.delay(0)
        // Abandoned connections stay open here: their owners have to give them up.
        if (kind !== 'abandon') proxy.restore()
      }
    },
  }
}
