import { expect, test } from 'vitest'
import { assertionHeader, isInternalHeader } from './headers.ts'

test('everything under gatehouse- is internal, in any case and with underscores', () => {
  for (const name of [
    assertionHeader,
    'Gatehouse-Assertion',
    'GATEHOUSE_ASSERTION',
    'gatehouse-anything',
    'gatehouse_',
  ])
    expect(isInternalHeader(name), name).toBe(true)
})

test('nothing else is', () => {
  for (const name of ['gatehouse', 'x-gatehouse-user', 'gatehouses-x', 'authorization', ''])
    expect(isInternalHeader(name), name).toBe(false)
})
