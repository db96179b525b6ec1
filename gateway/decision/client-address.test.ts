import { describe, expect, test } from 'vitest'
import { addressKey } from '../../shared/http/address-key.ts'
import { problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { findClient, peerAddress } from './client-address.ts'

const behind = (trustedHops: number, forwardedFor: string | undefined) =>
  findClient('10.0.0.1', forwardedFor, trustedHops).address

describe('findClient', () => {
  test('without trusted proxies: the address of the socket, whatever X-Forwarded-For says', () => {
    expect(behind(0, undefined)).toBe('10.0.0.1')
    expect(behind(0, '1.2.3.4')).toBe('10.0.0.1')
  })

  // Entries left of those of our own proxies were written by the client.
  test('behind n proxies: the n-th entry from the right', () => {
    const chain = '6.6.6.6, 5.5.5.5, 203.0.113.7 ,\t198.51.100.2'
    expect(behind(1, chain)).toBe('198.51.100.2')
    expect(behind(2, chain)).toBe('203.0.113.7')
    expect(behind(3, chain)).toBe('5.5.5.5')
  })

  // Azure Application Gateway and others append the port too.
  test('an entry may have a port: address:port, [address]:port, [address]', () => {
    expect(behind(1, '203.0.113.7:51234')).toBe('203.0.113.7')
    expect(behind(1, '6.6.6.6:1, 203.0.113.7:51234')).toBe('203.0.113.7')
    expect(behind(2, '203.0.113.7:51234,198.51.100.2:443')).toBe('203.0.113.7')
    for (const entry of ['[2001:db8::1]:443', '[2001:DB8:0::1]', '[2001:db8::1%eth0]:443'])
      expect(behind(1, entry)).toBe('2001:db8::1')
    expect(behind(1, '[::ffff:203.0.113.7]:443')).toBe('203.0.113.7')
    // Without brackets the last group is a part of the address.
    expect(behind(1, '2001:db8::1:443')).toBe('2001:db8::1:443')
  })

  test('400 client_address_unknown: no header, too few entries, or one that is no address', () => {
    for (const forwardedFor of [
      undefined,
      '',
      ' ',
      'unknown',
      '1.2.3.4, ',
      '1.2.3.4, _hidden',
      '1.2.3.4, 5.6.7.8:',
      '1.2.3.4, 5.6.7.8:123456',
      '1.2.3.4, 5.6.7.8:http',
      '1.2.3.4, 5.6.7.8:443:443',
      '1.2.3.4, 5.6.7.8%eth0',
      '1.2.3.4, [2001:db8::1',
      '1.2.3.4, [2001:db8::1]x',
      '1.2.3.4, [1.2.3.4]:443',
      // Forms that some read as one address and some as another.
      '1.2.3',
      '16909060',
      '0x1.2.3.4',
      '010.1.1.1',
      '::ffff:010.1.1.1',
      '::ffff:0x1.2.3.4',
    ])
      expect(() => behind(1, forwardedFor), String(forwardedFor)).toThrow('client_address_unknown')
    expect(() => behind(2, '1.2.3.4')).toThrow('client_address_unknown')
    expect(() => peerAddress(undefined)).toThrow()
  })

  test('an IPv4-mapped IPv6 address is the IPv4 address', () => {
    for (const form of [
      '::ffff:203.0.113.7',
      '::FFFF:203.0.113.7',
      '::ffff:cb00:7107',
      '0:0:0:0:0:ffff:cb00:7107',
    ])
      expect(peerAddress(form)).toBe('203.0.113.7')
  })

  test('one spelling of an IPv6 address, without its zone', () => {
    for (const form of ['2001:db8::1', '2001:DB8:0:0:0:0:0:1', '2001:0db8::0001', '2001:db8::1%eth0'])
      expect(peerAddress(form)).toBe('2001:db8::1')
  })
})

describe('addressKey', () => {
  test('an IPv4 address is one caller', () => {
    expect(addressKey('203.0.113.7')).not.toBe(addressKey('203.0.113.8'))
  })

  // A customer has a /64 to himself, so 2^64 addresses to call from.
  test('an IPv6 /64 is one caller, the next /64 another', () => {
    expect(addressKey('2001:db8:1:2::1')).toBe(addressKey('2001:db8:1:2:ffff:ffff:ffff:ffff'))
    expect(addressKey('2001:db8:1:2::1')).not.toBe(addressKey('2001:db8:1:3::1'))
  })
})

describe('over HTTP', () => {
  const limited = { LIMIT_ADDRESS_REQUESTS: '2' }

  async function statuses(
    harness: Awaited<ReturnType<typeof createGatewayHarness>>,
    calls: { address: string; from?: string }[],
  ) {
    const seen: number[] = []
    for (const { address, from } of calls) {
      const answer = await harness.call('/open', {
        address,
        ...(from !== undefined && { headers: { 'x-forwarded-for': from } }),
      })
      seen.push(answer.status)
    }
    return seen
  }

  test('429: a spoofed X-Forwarded-For with no trusted proxy is still the same caller', async () => {
    const harness = await createGatewayHarness({ environment: limited })
    const calls = ['1.1.1.1', '2.2.2.2', '3.3.3.3'].map((from) => ({ address: '203.0.113.7', from }))
    expect(await statuses(harness, calls)).toEqual([200, 200, 429])
  })

  test('429: spoofed entries before that of the one trusted proxy are still the same caller', async () => {
    const harness = await createGatewayHarness({ environment: { ...limited, TRUSTED_PROXY_HOPS: '1' } })
    const calls = ['1.1.1.1', '2.2.2.2', '3.3.3.3'].map((from) => ({
      address: '10.0.0.1',
      from: `${from}, 203.0.113.7`,
    }))
    expect(await statuses(harness, calls)).toEqual([200, 200, 429])
    expect(await statuses(harness, [{ address: '10.0.0.1', from: '203.0.113.7, 203.0.113.8' }])).toEqual([
      200,
    ])
  })

  test('429: addresses of one IPv6 /64, and IPv4 in its IPv6 forms, share a bucket', async () => {
    const harness = await createGatewayHarness({ environment: limited })
    const rotating = ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:1'].map((address) => ({ address }))
    expect(await statuses(harness, rotating)).toEqual([200, 200, 429])
    const coats = ['203.0.113.9', '::ffff:203.0.113.9', '::ffff:cb00:7109'].map((address) => ({ address }))
    expect(await statuses(harness, coats)).toEqual([200, 200, 429])
    expect(await statuses(harness, [{ address: '2001:db8:0:1::1' }])).toEqual([200])
  })

  test('400 client_address_unknown: a request that came around the proxies', async () => {
    const harness = await createGatewayHarness({ environment: { TRUSTED_PROXY_HOPS: '2' } })
    for (const headers of [{}, { 'x-forwarded-for': '203.0.113.7' }]) {
      const answer = await harness.call('/open', { headers })
      expect(answer.status).toBe(400)
      expect((await problem(answer)).code).toBe('client_address_unknown')
    }
    expect(harness.forwarded).toHaveLength(0)
    const told = harness.lines.filter(({ msg }) => msg === 'client address unknown')
    expect(told).toHaveLength(2)
    expect(told[0]).toMatchObject({ level: 'error', code: 'client_address_unknown' })
  })

  test('429: one client whose port changes with each connection is one caller', async () => {
    const harness = await createGatewayHarness({ environment: { ...limited, TRUSTED_PROXY_HOPS: '1' } })
    const calls = ['203.0.113.7:1024', '203.0.113.7:51234', '203.0.113.7'].map((from) => ({
      address: '10.0.0.1',
      from,
    }))
    expect(await statuses(harness, calls)).toEqual([200, 200, 429])
    expect(harness.last().headers.get('x-forwarded-for')).toBe('203.0.113.7')
  })
})
