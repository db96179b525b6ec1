import { expect, test } from 'vitest'
import { createRecoveryCodeHasher, formatRecoveryCode, newRecoveryCodes } from './recovery-codes.ts'

const hash = createRecoveryCodeHasher(new Uint8Array(32).fill(7))

test('ten codes of 60 random bits, none like another', () => {
  const codes = Array.from({ length: 100 }, newRecoveryCodes)
  for (const set of codes) expect(set).toHaveLength(10)
  expect(new Set(codes.flat()).size).toBe(1000)
  for (const code of codes.flat()) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{12}$/)
})

test('a code in any spelling has one digest', () => {
  const digest = hash('user', '01ab23cd45ef')
  expect(formatRecoveryCode('01ab23cd45ef')).toBe('01ab-23cd-45ef')
  for (const spelling of ['01ab-23cd-45ef', ' 01AB 23CD 45EF ', 'OLab23cd45ef', 'oIab-23cd45ef'])
    expect(hash('user', spelling)).toEqual(digest)
})

// Two accounts with one code by chance, or a copy of the database without the key.
test('another account or another key gives another digest', () => {
  const digest = hash('user', '01ab23cd45ef')
  expect(hash('other', '01ab23cd45ef')).not.toEqual(digest)
  expect(createRecoveryCodeHasher(new Uint8Array(32).fill(8))('user', '01ab23cd45ef')).not.toEqual(digest)
})
