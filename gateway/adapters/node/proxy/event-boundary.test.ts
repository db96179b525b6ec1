import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventBoundaryReader } from './event-boundary.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** The slow reference: whether another event can begin behind a text. */
function isBetweenEvents(text: string): boolean {
  const lines = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n')
  if (lines.pop() !== '') return false
  const lastBlank = lines.lastIndexOf('')
  return lines.slice(lastBlank + 1).every((line) => line.startsWith(':'))
}

test.each([
  ['', true],
  ['data: a', false],
  ['data: a\n', false],
  ['data: a\n\n', true],
  ['data: a\r\n\r\n', true],
  ['data: a\r\r', true],
  [': beat\n', true],
  [': beat', false],
  ['data: a\n: beat\n', false],
])('after %j another event can begin: %s', (text, expected) => {
  const reader = new EventBoundaryReader()
  reader.read(bytesOf(text))
  expect(reader.isBetweenEvents).toBe(expected)
})

test('finds the places that a slow reference finds, however the bytes are cut', () => {
  const piece = fc.constantFrom('\n', '\r', '\r\n', 'data: a', ': c', 'id: 1', '\n\n')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), (pieces, size) => {
      const text = pieces.join('')
      const reader = new EventBoundaryReader()
      for (let at = 0; at < text.length; at += size) {
        reader.read(bytesOf(text.slice(at, at + size)))
        // Between the two characters of one line end nothing has ended yet, or all of it.
        const soFar = text.slice(0, at + size)
        expect({ soFar, is: reader.isBetweenEvents }).toEqual({ soFar, is: isBetweenEvents(soFar) })
      }
    }),
    { numRuns: 2000 },
  )
})
