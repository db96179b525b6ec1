import { expect, test } from 'vitest'
import { requestIdFrom } from './request-id.ts'

const made = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test("a caller's id of 8 to 128 harmless characters is kept", () => {
  for (const id of ['abcdefgh', 'A-b_c.d-0123', 'x'.repeat(128), crypto.randomUUID()])
    expect(requestIdFrom(id)).toBe(id)
})

// It goes into logs and headers of others: whatever could end a line or begin a field there is not
// kept.
test('any other is replaced by a new one', () => {
  for (const id of [
    '',
    'short',
    'x'.repeat(129),
    'with space',
    'line\nbreak',
    'carriage\rreturn',
    'comma,comma',
    'quote"quote',
    'späte-id',
    '<script>',
    'abcdefgh\n',
    '%0d%0aabcdef',
    '{"a":"bcd"}',
  ])
    expect(requestIdFrom(id), id).toMatch(made)
  for (const id of [null, undefined]) expect(requestIdFrom(id)).toMatch(made)
})

test('no two new ones are the same', () => {
  expect(requestIdFrom(null)).not.toBe(requestIdFrom(null))
})
