import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createTickFlush } from './tick-flush.ts'

test('runs all of one tick together and in order, and what they schedule in the next', async () => {
  const flushPerTick = createTickFlush()
  const ran: string[] = []
  const note = (text: string) => ({ flush: () => void ran.push(text) })
  flushPerTick({
    flush() {
      ran.push('first')
      flushPerTick(note('of the next turn'))
    },
  })
  flushPerTick(note('second'))
  expect(ran).toEqual([])
  await nextTurn()
  expect(ran).toEqual(['first', 'second'])
  await nextTurn()
  expect(ran).toEqual(['first', 'second', 'of the next turn'])
})
