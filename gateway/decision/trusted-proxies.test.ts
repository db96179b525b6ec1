import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { createTrustedProxies } from './trusted-proxies.ts'

const networks = ['10.0.0.0/8', '192.0.2.7', '2001:db8:ffff::/48']

interface Facts {
  peer?: string
  forwardedFor?: string
  forwardedProto?: string
  forwarded?: string
}

function read(
  options: Partial<Parameters<typeof createTrustedProxies>[0]>,
  { peer = '10.0.0.1', ...headers }: Facts,
) {
  const readClientInfo = createTrustedProxies({ hops: 0, cidrs: [], header: 'x-forwarded-for', ...options })
  const none = { forwardedFor: undefined, forwardedProto: undefined, forwarded: undefined }
  return readClientInfo({ peer, scheme: 'http', headers: { ...none, ...headers } })
}

const address = (...facts: Parameters<typeof read>) => read(...facts).address

describe('TRUSTED_PROXY_CIDRS: the client is the first address, from the gateway on, that is in none of them', () => {
  const options = { cidrs: networks }

  test('a peer outside the trusted ranges is the client, whatever its headers say', () => {
    expect(read(options, { peer: '203.0.113.7', forwardedFor: '6.6.6.6', forwardedProto: 'https' })).toEqual({
      address: '203.0.113.7',
      scheme: 'http',
      isProxied: false,
    })
  })

  test('a peer inside names its client; entries behind that one are not read', () => {
    expect(address(options, { forwardedFor: '203.0.113.7' })).toBe('203.0.113.7')
    expect(address(options, { forwardedFor: '6.6.6.6, 203.0.113.7' })).toBe('203.0.113.7')
    expect(address(options, { forwardedFor: 'nonsense, 10.9.9.9, 203.0.113.7' })).toBe('203.0.113.7')
  })

  test('a server inside that renders pages names its user through the balancer, with ports and in IPv6', () => {
    expect(address(options, { forwardedFor: '203.0.113.7, 10.1.0.5' })).toBe('203.0.113.7')
    expect(address(options, { forwardedFor: '203.0.113.7:99, 192.0.2.7:443, 10.1.0.5:1' })).toBe(
      '203.0.113.7',
    )
    expect(address(options, { forwardedFor: '2001:db8::1, [2001:db8:ffff::2]:443' })).toBe('2001:db8::1')
    expect(address(options, { peer: '::ffff:10.0.0.1', forwardedFor: '203.0.113.7' })).toBe('203.0.113.7')
  })

  test('400 client_address_unknown: an address inside is never the client, and names one', () => {
    for (const forwardedFor of [
      undefined,
      '',
      '10.1.0.5',
      '10.1.0.6, 10.1.0.5',
      'unknown',
      'unknown, 10.1.0.5',
    ])
      expect(() => address(options, forwardedFor === undefined ? {} : { forwardedFor })).toThrow(
        'client_address_unknown',
      )
  })

  test('the edges of a network', () => {
    for (const [peer, isProxied] of [
      ['9.255.255.255', false],
      ['10.0.0.0', true],
      ['10.255.255.255', true],
      ['11.0.0.0', false],
      ['192.0.2.6', false],
      ['192.0.2.7', true],
      ['2001:db8:fffe:ffff::', false],
      ['2001:db8:ffff::', true],
      ['2001:db8:ffff:ffff:ffff::1', true],
      ['2001:db9::', false],
    ] as const)
      expect(read(options, { peer, forwardedFor: '203.0.113.7' }).isProxied, peer).toBe(isProxied)
  })
})

describe('TRUSTED_PROXY_HOPS with TRUSTED_PROXY_CIDRS: the hops first, then the networks', () => {
  const options = { hops: 1, cidrs: networks }

  test('behind the counted hops an address inside is one more proxy', () => {
    const peer = '203.0.113.250'
    expect(address(options, { peer, forwardedFor: '6.6.6.6, 203.0.113.7' })).toBe('203.0.113.7')
    expect(address(options, { peer, forwardedFor: '203.0.113.7, 10.1.0.5' })).toBe('203.0.113.7')
  })

  test('400 client_address_unknown: too few entries', () => {
    expect(() => address(options, {})).toThrow('client_address_unknown')
    expect(() => address(options, { forwardedFor: '10.1.0.5' })).toThrow('client_address_unknown')
  })
})

describe('TRUSTED_PROXY_HEADER=forwarded', () => {
  const options = { hops: 1, header: 'forwarded' } as const

  test('the element of the last trusted proxy names client and scheme; X-Forwarded-… is not read', () => {
    const headers = { forwardedFor: '6.6.6.6', forwardedProto: 'http' }
    expect(
      read(options, { forwarded: 'for=6.6.6.6, for="[2001:db8::1]:443";proto=https', ...headers }),
    ).toEqual({
      address: '2001:db8::1',
      scheme: 'https',
      isProxied: true,
    })
    const two = 'for=6.6.6.6;proto=http,for=203.0.113.7;proto=https, for=198.51.100.2;proto=http'
    expect(read({ ...options, hops: 2 }, { forwarded: two })).toMatchObject({
      address: '203.0.113.7',
      scheme: 'https',
    })
    expect(read({ ...options, hops: 0, cidrs: networks }, { forwarded: two })).toMatchObject({
      address: '198.51.100.2',
      scheme: 'http',
    })
  })

  test('400 client_address_unknown: no element, or a name that is no address', () => {
    for (const forwarded of ['', 'proto=https', 'for=unknown', 'for=_hidden', 'for="1.2.3.4,5.6.7.8"'])
      expect(() => read(options, { forwarded, forwardedFor: '203.0.113.7' })).toThrow(
        'client_address_unknown',
      )
  })

  test('400 bad_request: a header that cannot be read', () => {
    expect(() => read(options, { forwarded: 'for="x, for=203.0.113.7' })).toThrow('bad_request')
  })
})

test('nothing that a client writes in front of the entry of a trusted proxy changes its address or scheme', () => {
  const written = fc.string({
    unit: fc.constantFrom(
      ',',
      ' ',
      '\t',
      '"',
      '=',
      ';',
      ':',
      '[',
      ']',
      '%',
      '10.0.0.9',
      '::1',
      '6.6.6.6',
      'for',
    ),
  })
  const settings = [{ hops: 1 }, { cidrs: networks }, { hops: 1, cidrs: networks }]
  fc.assert(
    fc.property(written, written, fc.constantFrom(...settings), (before, proto, options) => {
      const forwardedFor = `${before}, 203.0.113.7:51234`
      expect(read(options, { forwardedFor, forwardedProto: `${proto}, https`, forwarded: before })).toEqual({
        address: '203.0.113.7',
        scheme: 'https',
        isProxied: true,
      })
    }),
    { numRuns: 5000 },
  )
})

describe('X-Forwarded-Proto is trusted where X-Forwarded-For is', () => {
  test.each([
    [{ hops: 1 }, '10.0.0.1', 'https', 'https'],
    [{ hops: 1 }, '10.0.0.1', 'http, https', 'https'],
    [{ hops: 1 }, '10.0.0.1', 'https, HTTP', 'http'],
    [{ hops: 1 }, '10.0.0.1', 'gopher', 'http'],
    [{ cidrs: networks }, '10.0.0.1', 'https', 'https'],
    [{ cidrs: networks }, '203.0.113.9', 'https', 'http'],
    [{}, '10.0.0.1', 'https', 'http'],
    [{ hops: 1, header: 'forwarded' as const }, '10.0.0.1', 'https', 'http'],
  ])('%j from %s, which says %s: %s', (options, peer, forwardedProto, scheme) => {
    const given = { peer, forwardedFor: '203.0.113.7', forwarded: 'for=203.0.113.7', forwardedProto }
    expect(read(options, given).scheme).toBe(scheme)
  })
})

describe('over HTTP', () => {
  test('429: users behind a server in TRUSTED_PROXY_CIDRS each have their own limit; spoofed entries change no address', async () => {
    const harness = await createGatewayHarness({
      environment: { LIMIT_ADDRESS_REQUESTS: '2', TRUSTED_PROXY_CIDRS: '10.0.0.0/8' },
      policy: [openRow],
    })
    const statuses = async (calls: [address: string, from: string][]) => {
      const seen: number[] = []
      for (const [address, from] of calls)
        seen.push((await harness.call('/open', { address, headers: { 'x-forwarded-for': from } })).status)
      return seen
    }
    expect(
      await statuses([
        ['10.0.0.1', '203.0.113.7'],
        ['10.0.0.1', '1.1.1.1, 203.0.113.7'],
        ['10.0.0.2', '2.2.2.2, 203.0.113.7:4711'],
        ['10.0.0.2', '203.0.113.8'],
        ['198.51.100.1', '203.0.113.9'],
        ['198.51.100.1', '203.0.113.10'],
        ['198.51.100.1', '10.0.0.1, 203.0.113.11'],
      ]),
    ).toEqual([200, 200, 429, 200, 200, 200, 429])
  })

  test('400 client_address_unknown: a trusted proxy that uses the other header', async () => {
    const harness = await createGatewayHarness({
      environment: { TRUSTED_PROXY_HOPS: '1', TRUSTED_PROXY_HEADER: 'forwarded' },
    })
    const answer = await harness.call('/open', { headers: { 'x-forwarded-for': '203.0.113.7' } })
    expect(answer.status).toBe(400)
    expect((await problem(answer)).code).toBe('client_address_unknown')
    const headers = { forwarded: 'for=203.0.113.7;proto=https', 'x-forwarded-for': '6.6.6.6' }
    expect((await harness.call('/open', { headers })).status).toBe(200)
    expect(harness.last().headers.get('x-forwarded-for')).toBe('203.0.113.7')
    expect(harness.last().headers.get('x-forwarded-proto')).toBe('https')
    expect(harness.last().headers.get('forwarded')).toBeNull()
  })
})
