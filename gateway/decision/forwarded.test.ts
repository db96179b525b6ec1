import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readForwarded } from './forwarded.ts'

const element = (named: string | undefined, proto?: string) => ({ for: named, proto })

describe('readForwarded', () => {
  test.each([
    ['', []],
    ['for=192.0.2.60', [element('192.0.2.60')]],
    ['For="[2001:db8:cafe::17]:4711"', [element('[2001:db8:cafe::17]:4711')]],
    ['for=192.0.2.60;proto=http;by=203.0.113.43', [element('192.0.2.60', 'http')]],
    [
      'for=192.0.2.43, for=198.51.100.17;Proto=HTTPS',
      [element('192.0.2.43'), element('198.51.100.17', 'HTTPS')],
    ],
    ['proto=https', [element(undefined, 'https')]],
    ['for=unknown,for=_hidden', [element('unknown'), element('_hidden')]],
    ['for="a\\"b,c;d"', [element('a"b,c;d')]],
    // An empty header in front of that of a proxy.
    [', for=192.0.2.60', [element('192.0.2.60')]],
    ['for=192.0.2.43,, for=192.0.2.60 ', [element('192.0.2.43'), element('192.0.2.60')]],
  ])('%s', (field, elements) => {
    expect(readForwarded(field)).toEqual(elements)
  })

  test.each([
    'for',
    'for=',
    '=a',
    'for=a b',
    'for=a for=b',
    'for = a',
    'for=a;for=b',
    'for=2001:db8::1',
    'for="a',
    'for=a"b"',
    'for="a"b',
    'for="\\',
    'for="a" "b"',
    'for=é',
    '"for"=a',
  ])('400 bad_request: %s', (field) => {
    expect(() => readForwarded(field)).toThrow('bad_request')
  })

  // The client writes what stands left, and the Host that a proxy quotes.
  test('400 or the element of the proxy: nothing that a client writes hides it, adds to it or goes behind it', () => {
    const written = fc.string({ unit: fc.constantFrom('"', '\\', ',', ';', '=', 'for', ' ', 'a', '6.6.6.6') })
    fc.assert(
      fc.property(written, written, (before, host) => {
        const quotedHost = host.replace(/["\\]/g, '\\$&')
        let last: { for: string | undefined } | undefined
        try {
          last = readForwarded(`${before}, for=203.0.113.7;host="${quotedHost}"`).at(-1)
        } catch {
          return
        }
        expect(last?.for).toBe('203.0.113.7')
      }),
      { numRuns: 20_000 },
    )
  })
})
