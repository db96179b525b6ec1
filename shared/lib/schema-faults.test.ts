import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { describeSchemaFault, listSchemaFaults, type SchemaFault } from './schema-faults.ts'

const lowerCase = z.string().regex(/^[a-z]+$/, { error: 'must be lower-case' })

const schema = z.strictObject({
  count: z.number({ error: 'must be a number' }),
  names: z.record(lowerCase, z.number()),
  secret: z.string().refine((text) => text.length > 3, { error: 'is short', params: { code: 'too_short' } }),
})

const valid = { count: 1, names: { one: 1 }, secret: 'long' }

function faultsOf(value: unknown): SchemaFault[] {
  const { error } = schema.safeParse(value)
  return error ? listSchemaFaults(error) : []
}

describe('listSchemaFaults', () => {
  test('leads to the member at fault, with the message of its rule', () => {
    expect(faultsOf({ ...valid, count: 'x' })).toEqual([
      { path: ['count'], message: 'must be a number', isUnknownKey: false },
    ])
  })

  test('makes one fault of each unknown key', () => {
    expect(faultsOf({ ...valid, a: 1, b: 2 })).toEqual([
      { path: ['a'], message: 'Unrecognized key: "a"', isUnknownKey: true },
      { path: ['b'], message: 'Unrecognized key: "b"', isUnknownKey: true },
    ])
  })

  // 64 KiB of short unknown keys had a response of ten times their size.
  test('lists 100 faults, however many keys are unknown', () => {
    const keys = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, 1]))
    expect(faultsOf({ ...valid, ...keys })).toHaveLength(100)
  })

  test("gives the reason of the key's own schema for a key that it rejects", () => {
    expect(faultsOf({ ...valid, names: { ONE: 1 } })).toEqual([
      { path: ['names', 'ONE'], message: 'must be lower-case', isUnknownKey: false, isOfKey: true },
    ])
  })

  test('has the code of its rule', () => {
    expect(faultsOf({ ...valid, secret: 'abc' })).toEqual([
      { path: ['secret'], message: 'is short', isUnknownKey: false, code: 'too_short' },
    ])
  })
})

describe('describeSchemaFault', () => {
  test('names the member, or the whole value', () => {
    const fault = { message: 'is wrong', isUnknownKey: false }
    expect(describeSchemaFault({ ...fault, path: ['routes', 0, 'path'] }, 'the file')).toBe(
      'routes.0.path: is wrong',
    )
    expect(describeSchemaFault({ ...fault, path: [] }, 'the file')).toBe('the file: is wrong')
  })
})
