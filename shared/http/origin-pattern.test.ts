import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createOriginSet, originPattern } from './origin-pattern.ts'

const allowed = createOriginSet([
  'https://app.example.com',
  'https://*.preview.example.com',
  'http://*.localhost:5173',
])

test.each([
  'https://app.example.com',
  'https://pr-42.preview.example.com',
  'https://a.preview.example.com',
  'https://xn--bcher-kva.preview.example.com',
  'http://shop.localhost:5173',
])('allows %s', (origin) => {
  expect(allowed.has(origin)).toBe(true)
})

test.each([
  ['nested labels', 'https://a.b.preview.example.com'],
  ['no label', 'https://preview.example.com'],
  ['an empty label', 'https://.preview.example.com'],
  ['another scheme', 'http://a.preview.example.com'],
  ['another port', 'https://a.preview.example.com:8443'],
  ['the port that is implied', 'https://a.preview.example.com:443'],
  ['a port in the label', 'https://evil.example:1.preview.example.com'],
  ['userinfo', 'https://evil.example@a.preview.example.com'],
  ['userinfo with a password', 'https://a:b@c.preview.example.com'],
  ['userinfo that is the pattern', 'https://a.preview.example.com@evil.example'],
  ['a longer domain', 'https://a.preview.example.com.evil.example'],
  ['a domain that ends alike', 'https://apreview.example.com'],
  ['a path', 'https://evil.example/.preview.example.com'],
  ['a fragment', 'https://evil.example#.preview.example.com'],
  ['a query', 'https://evil.example?.preview.example.com'],
  ['a backslash', 'https://evil.example\\.preview.example.com'],
  ['capitals', 'https://A.preview.example.com'],
  ['an underscore', 'https://a_b.preview.example.com'],
  ['a hyphen at the edge', 'https://-a.preview.example.com'],
  ['a label of 64 characters', `https://${'a'.repeat(64)}.preview.example.com`],
  ['the pattern itself', 'https://*.preview.example.com'],
  ['a line break', 'https://a\r\n.preview.example.com'],
  ['null', 'null'],
  ['nothing', ''],
  ['another port of localhost', 'http://shop.localhost:5174'],
])('refuses %s: %s', (_, origin) => {
  expect(allowed.has(origin)).toBe(false)
})

describe('a pattern', () => {
  test.each([
    'https://*.com',
    'https://*',
    'https://*.*.example.com',
    'https://a*.example.com',
    'https://*a.example.com',
    'https://app.*.example.com',
    '*://a.example.com',
    'https://*.example.com/',
    'https://*.example.com:443',
    'https://*.EXAMPLE.com',
    'https://u@*.example.com',
    'https://*.10.0.0.1',
    'wss://*.example.com',
    '*',
  ])('that is too wide or malformed is rejected: %s', (text) => {
    expect(originPattern.safeParse(text).success).toBe(false)
  })

  test.each(['https://*.example.com', 'https://*.preview.example.co.uk:8443', 'http://*.localhost'])(
    'is accepted: %s',
    (text) => {
      expect(originPattern.safeParse(text).success).toBe(true)
    },
  )

  test('allows only what a URL parser reads as one label before the same host, scheme and port', () => {
    const piece = fc.constantFrom(
      ...['a', 'b-1', '.', ':', '@', '/', '\\', '?', '#', '%2e', 'evil.example', '-', '*', '[', ' ', 'é'],
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const origin = `https://${pieces.join('')}.preview.example.com`
        if (!allowed.has(origin)) return
        const { host, protocol, username } = new URL(origin)
        expect({ protocol, username }).toEqual({ protocol: 'https:', username: '' })
        expect(host).toMatch(/^[a-z\d-]+\.preview\.example\.com$/)
      }),
      { numRuns: 5000 },
    )
  })
})
