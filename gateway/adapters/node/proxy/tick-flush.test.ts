import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createTickFlush } from './tick-flush.ts'

test('runs all of one turn together and in their order, and what they ask for in the next', async () => {
  const flushPerTick = createTickFlush()
  const ran: string[] = []
  flushPerTick(() => {
    ran.push('first')
    flushPerTick(() => ran.push('of the next turn'))
  })
  flushPerTick(() => ran.push('second'))
  expect(ran).toEqual([])
  await nextTurn()
  expect(ran).toEqual(['first', 'second'])
  await nextTurn()
  expect(ran).toEqual(['first', 'second', 'of the next turn'])
})
