import { isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalAddress } from './canonical-address.ts'

describe('canonicalAddress', () => {
  test('one spelling of each address', () => {
    expect(canonicalAddress('203.0.113.7')).toBe('203.0.113.7')
    for (const form of ['::ffff:203.0.113.7', '::FFFF:cb00:7107', '0:0:0:0:0:ffff:cb00:7107'])
      expect(canonicalAddress(form)).toBe('203.0.113.7')
    for (const form of ['2001:db8::1', '2001:DB8:0:0:0:0:0:1', '2001:0db8::0001'])
      expect(canonicalAddress(form)).toBe('2001:db8::1')
  })

  test('undefined: other texts, and addresses with more around them', () => {
    for (const text of [
      '',
      ' ',
      ' 203.0.113.7',
      '203.0.113.7 ',
      '203.0.113.7:443',
      '203.0.113',
      '16909060',
      '0x1.2.3.4',
      '010.1.1.1',
      '::ffff:010.1.1.1',
      '::ffff:0x1.2.3.4',
      '[2001:db8::1]',
      '[2001:db8::1]:443',
      'fe80::1%eth0',
      '2001:db8::1::1',
      '2001:db8::1/64',
      '203.0.113.7, 203.0.113.8',
      'localhost',
    ])
      expect(canonicalAddress(text), text).toBeUndefined()
  })

  test('accepts nothing that Node takes for no IP address', () => {
    const group = fc.oneof(
      fc.constant(''),
      fc.string({ unit: fc.constantFrom(...'0123abfF.x'), maxLength: 5 }),
    )
    const text = fc.oneof(
      fc.array(group, { maxLength: 9 }).map((groups) => groups.join(':')),
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 5 }).map((parts) => parts.join('.')),
      fc.ipV6(),
      fc.ipV4Extended(),
    )
    fc.assert(
      fc.property(text, (address) => {
        if (canonicalAddress(address) !== undefined) expect(isIP(address), address).not.toBe(0)
        // Of what Node takes, only spellings that read differently elsewhere are refused.
        else if (isIP(address) !== 0) expect(address).toMatch(/(?:^|[:.])0\d|%/)
      }),
      { numRuns: 5000 },
    )
  })
})
