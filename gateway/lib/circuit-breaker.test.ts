import { expect, test } from 'vitest'
import { createClock } from '../../test/support/clock.ts'
import { createBreaker } from './circuit-breaker.ts'

/** A breaker before a service that fails when it is told to, and the events of both. */
function setUpBreaker() {
  const clock = createClock()
  const events: string[] = []
  let isUp = true
  async function call(name: string) {
    events.push(name)
    if (!isUp) throw new Error('down')
    return {}
  }
  const breaker = createBreaker({
    timeoutMs: 1000,
    probe: () => call('probe'),
    now: clock.now,
    onOpen: () => events.push('open'),
    onClose: () => events.push('close'),
  })
  return {
    breaker,
    clock,
    ask: () => breaker.call(() => call('call')),
    setUp(value: boolean) {
      isUp = value
    },
    /** The events since the last call. */
    seen: () => events.splice(0),
  }
}

test('after a failure one call a pause probes first, and only a successful probe closes the breaker', async () => {
  const { ask, clock, setUp, seen } = setUpBreaker()
  setUp(false)
  expect(await ask()).toBeUndefined()
  expect(seen()).toEqual(['call', 'open'])
  expect(await ask()).toBeUndefined()
  expect(seen()).toEqual([])
  clock.advance(1)
  expect(await ask()).toBeUndefined()
  expect(seen()).toEqual(['probe'])
  setUp(true)
  clock.advance(1)
  expect(await ask()).toEqual({})
  expect(seen()).toEqual(['probe', 'close', 'call'])
})

// Each probe is a write, and readiness may be asked by several balancers a second.
test('check() probes once, open or closed, within a pause too', async () => {
  const { breaker, setUp, seen } = setUpBreaker()
  await breaker.check()
  expect(seen()).toEqual(['probe'])
  setUp(false)
  await breaker.check()
  expect(seen()).toEqual(['probe', 'open'])
  await breaker.check()
  expect(seen()).toEqual(['probe'])
  expect(breaker.isOpen()).toBe(true)
  setUp(true)
  await breaker.check()
  expect(seen()).toEqual(['probe', 'close'])
  expect(breaker.cause()).toBeUndefined()
})
