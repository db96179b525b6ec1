import { expect, test } from 'vitest'
import { httpDate } from './http-date.ts'

test('the format of RFC 9110, updated each second', () => {
  const at = Date.UTC(2026, 0, 2, 3, 4, 5)
  expect(httpDate(at)).toBe('Fri, 02 Jan 2026 03:04:05 GMT')
  expect(httpDate(at + 999)).toBe('Fri, 02 Jan 2026 03:04:05 GMT')
  expect(httpDate(at + 1000)).toBe('Fri, 02 Jan 2026 03:04:06 GMT')
  expect(httpDate(at)).toBe('Fri, 02 Jan 2026 03:04:05 GMT')
})
