import { afterEach, describe, expect, test, vi } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { type Relay, startRelay } from './relay.ts'

/** Longer than any test: only a nudge starts what a test sees. */
const never = 3_600_000

let relay: Relay | undefined
afterEach(() => relay?.stop())

/** A delivery that ends when the test says so. */
function controlled() {
  const ends: (() => void)[] = []
  let atOnce = 0
  let maxConcurrent = 0
  return {
    ends,
    maxConcurrent: () => maxConcurrent,
    async deliver() {
      atOnce += 1
      maxConcurrent = Math.max(maxConcurrent, atOnce)
      await new Promise<void>((resolve) => ends.push(resolve))
      atOnce -= 1
    },
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('the relay', () => {
  test('delivers at once when it starts, and again after its interval', async () => {
    const deliver = vi.fn(async () => {})
    relay = startRelay({ deliver, intervalMs: 2, log: createCapturedLog('relay').log })
    expect(deliver).toHaveBeenCalledTimes(1)
    await vi.waitFor(() => expect(deliver.mock.calls.length).toBeGreaterThan(3), { interval: 5 })
  })

  test('delivers at once when it is woken', async () => {
    const deliver = vi.fn(async () => {})
    relay = startRelay({ deliver, intervalMs: never, log: createCapturedLog('relay').log })
    await settled()
    relay.wake()
    expect(deliver).toHaveBeenCalledTimes(2)
  })

  test('never delivers twice at a time; nudges meanwhile are one delivery afterwards', async () => {
    const { deliver, ends, maxConcurrent } = controlled()
    relay = startRelay({ deliver, intervalMs: never, log: createCapturedLog('relay').log })
    relay.wake()
    relay.wake()
    expect(ends).toHaveLength(1)
    ends[0]?.()
    await settled()
    expect(ends).toHaveLength(2)
    ends[1]?.()
    await settled()
    expect(ends).toHaveLength(2)
    expect(maxConcurrent()).toBe(1)
  })

  test('aborts a delivery at the deadline of a round, and delivers again after its interval', async () => {
    const aborted: boolean[] = []
    const deliver = vi.fn(async (signal: AbortSignal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      aborted.push(signal.aborted)
    })
    relay = startRelay({ deliver, intervalMs: 2, roundMs: 10, log: createCapturedLog('relay').log })
    await vi.waitFor(() => expect(aborted.length).toBeGreaterThan(1), { interval: 5 })
  })

  test('leaves a delivery behind that hangs, says so, and delivers again', async () => {
    const deliver = vi.fn(() => new Promise<void>(() => {}))
    const { log, lines } = createCapturedLog('relay')
    relay = startRelay({ deliver, intervalMs: 2, roundMs: 5, abandonMs: 10, log })
    await vi.waitFor(() => expect(deliver.mock.calls.length).toBeGreaterThan(1), { interval: 5 })
    expect(lines[0]).toMatchObject({ level: 'error', msg: 'mail relay failed' })
  })

  test('continues after a delivery that threw, and logs that', async () => {
    const deliver = vi.fn(async () => {})
    deliver.mockRejectedValueOnce(new Error('no database'))
    const { log, lines } = createCapturedLog('relay')
    relay = startRelay({ deliver, intervalMs: 2, log })
    await vi.waitFor(() => expect(deliver.mock.calls.length).toBeGreaterThan(1), { interval: 5 })
    expect(lines).toMatchObject([{ level: 'error', msg: 'mail relay failed' }])
  })

  test('stops when the delivery in progress has ended, whose signal is aborted, and delivers nothing more', async () => {
    const { deliver, ends } = controlled()
    let heard: AbortSignal | undefined
    relay = startRelay({
      deliver(signal) {
        heard = signal
        return deliver()
      },
      intervalMs: never,
      log: createCapturedLog('relay').log,
    })
    relay.wake()
    let stopped = false
    const stopping = relay.stop().then(() => {
      stopped = true
    })
    await settled()
    expect(heard?.aborted).toBe(true)
    expect(stopped).toBe(false)
    ends[0]?.()
    await stopping
    relay.wake()
    await settled()
    expect(ends).toHaveLength(1)
  })
})
