import { expect, test } from 'vitest'
import { bearerToken } from './bearer-token.ts'

test.each(['Bearer a.b-c_d', 'bearer a.b-c_d', 'BEARER   a.b-c_d', `Bearer${' '.repeat(9)}a.b-c_d`])(
  '%j holds one token',
  (field) => {
    expect(bearerToken(field)).toBe('a.b-c_d')
  },
)

test.each([
  '',
  'Bearer',
  'Bearer ',
  'Bearer    ',
  `Bearer${' '.repeat(10)}a.b`,
  'Bearera.b',
  'Bearer\ta.b',
  ' Bearer a.b',
  'Bearer a.b ',
  'Bearer a.b c.d',
  'Bearer a.b,Bearer c.d',
  'Basic YTpi',
  'Basic a, Bearer a.b',
])('%j holds none', (field) => {
  expect(bearerToken(field)).toBeUndefined()
})
