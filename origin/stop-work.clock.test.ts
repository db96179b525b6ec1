import { describe, expect, test } from 'vitest'
import type { Log } from '../shared/lib/log.ts'
import { createCapturedLog } from '../test/support/captured-log.ts'
import { startKeyUpkeep } from './keys/upkeep.ts'
import { startRelay } from './mail/relay.ts'
import { startRevocationRelay } from './revocations/relay.ts'

/** Work that never ends, as on a connection that nothing comes over. */
const hang = () => {
  let start = () => {}
  const started = new Promise<void>((resolve) => {
    start = resolve
  })
  return {
    started,
    work: () => {
      start()
      return new Promise<never>(() => {})
    },
  }
}

describe('stop() resolves within 3 s and logs what was left, although the current round hangs, of', () => {
  test.each([
    ['mail relay', (work: () => Promise<never>, log: Log) => startRelay({ deliver: work, log })],
    [
      'revocation relay',
      (work: () => Promise<never>, log: Log) => startRevocationRelay({ publish: work, intervalMs: 1, log }),
    ],
    [
      'key upkeep',
      (work: () => Promise<never>, log: Log) =>
        startKeyUpkeep({ takeStep: work, ring: { refresh: work }, intervalMs: 1, log }),
    ],
  ])('the %s', async (name, start) => {
    const { started, work } = hang()
    const { log, lines } = createCapturedLog('origin')
    const running = start(work, log)
    await started
    const askedAt = performance.now()
    await running.stop()
    expect(performance.now() - askedAt).toBeLessThan(3000)
    expect(lines).toMatchObject([{ level: 'warn', work: name, msg: 'stopped before its work had ended' }])
  })
})
