import { expect, test } from 'vitest'
import { watchParts } from './watch-parts.ts'

test('a part that ends after the watch changes nothing of what was seen', () => {
  let totals = [{ name: 'k6', processor_ms: 100, resident_bytes: 5 }]
  const watch = watchParts(() => totals)
  totals = [{ name: 'k6', processor_ms: 200, resident_bytes: 7 }]
  const watched = watch.stop()
  expect(watched.samples.map(({ parts }) => parts[0]?.bytes)).toEqual([7])
  expect(watched.all[0]?.cores).toBeGreaterThan(0)

  totals = [{ name: 'k6', processor_ms: 0, resident_bytes: 0 }]
  expect(watch.stop()).toBe(watched)
  expect(watched.samples).toHaveLength(1)
})

test('a part that is new counts from its start', () => {
  let totals = [{ name: 'gateway', processor_ms: 100, resident_bytes: 5 }]
  const watch = watchParts(() => totals)
  totals = [...totals, { name: 'k6', processor_ms: 50, resident_bytes: 1 }]
  expect(watch.stop().all.map(({ name, cores }) => [name, cores > 0])).toEqual([
    ['gateway', false],
    ['k6', true],
  ])
})
