import { describe, expect, test } from 'vitest'
import { addTraceHeaders, readTraceparent } from './trace-context.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parentId}-01`

describe('readTraceparent', () => {
  test('reads trace, parent and whether it is sampled', () => {
    expect(readTraceparent(traceparent)).toEqual({ traceId, parentId, sampled: true })
    expect(readTraceparent(`00-${traceId}-${parentId}-02`)).toEqual({ traceId, parentId, sampled: false })
  })

  test('reads the known part of a later version', () => {
    expect(readTraceparent(`cc-${traceId}-${parentId}-01-what-comes`)).toEqual({
      traceId,
      parentId,
      sampled: true,
    })
  })

  test.each([
    ['nothing', undefined],
    ['an empty one', ''],
    ['version ff', `ff-${traceId}-${parentId}-01`],
    ['version 00 with a part too many', `${traceparent}-x`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${parentId}-01`],
    ['a parent of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['upper case', traceparent.toUpperCase()],
    ['a trace too short', `00-${traceId.slice(1)}-${parentId}-01`],
    ['two of them', `${traceparent}, ${traceparent}`],
    ['a line break behind it', `${traceparent}\nlevel=error`],
    ['10 kB of a later version', `cc-${traceId}-${parentId}-01-${'x'.repeat(10_000)}`],
  ])('takes %s for none', (_, text) => {
    expect(readTraceparent(text)).toBeUndefined()
  })
})

describe('addTraceHeaders', () => {
  function added(...given: [Parameters<typeof addTraceHeaders>[1], Parameters<typeof addTraceHeaders>[2]?]) {
    const headers = ['via', 'x']
    addTraceHeaders(headers, ...given)
    return headers.slice(2)
  }

  const tracestate = 'vendor=1'
  const baggage = 'tenant=7'

  test('passes on what came, where we record no span of our own', () => {
    expect(added({ traceparent, tracestate, baggage })).toEqual([
      ...['traceparent', traceparent],
      ...['tracestate', tracestate],
      ...['baggage', baggage],
    ])
  })

  test('says our own span instead, where there is one', () => {
    const own = { traceparent: `00-${traceId}-1111111111111111-01`, tracestate }
    expect(added({ traceparent, tracestate }, own)).toEqual([
      ...['traceparent', own.traceparent],
      ...['tracestate', tracestate],
    ])
  })

  test('begins no trace where none came', () => {
    expect(added({})).toEqual([])
  })

  test('drops a malformed traceparent, and the state that came with it', () => {
    expect(added({ traceparent: 'x', tracestate, baggage })).toEqual(['baggage', baggage])
  })

  test.each([
    ['long', `a=${'x'.repeat(511)}`],
    ['of many members', Array.from({ length: 33 }, (_, i) => `v${i}=1`).join(',')],
  ])('drops a state too %s', (_, long) => {
    expect(added({ traceparent, tracestate: long })).toEqual(['traceparent', traceparent])
  })

  test.each([
    ['long', `a=${'x'.repeat(8191)}`],
    ['of many members', Array.from({ length: 65 }, (_, i) => `k${i}=1`).join(',')],
  ])('drops baggage too %s', (_, long) => {
    expect(added({ baggage: long })).toEqual([])
  })
})
