import { describe, expect, test } from 'vitest'
import { parseList } from '../../support/structured-fields.ts'
import { addressQuota } from '../gateway.ts'
import { type Answer, issuer, json, newAddress, outcome, type Sent, send } from './client.ts'

const limitsOf = ({ headers }: Answer) => parseList(String(headers.ratelimit))
const left = (answer: Answer) => limitsOf(answer)[0]?.parameters.r

const path = '/try/echo'

/** Uses up an address but for some requests. */
async function use(address: string, leaving = 0) {
  await Promise.all(Array.from({ length: addressQuota - leaving }, () => send(path, { address })))
}

// Where a busy machine keeps Redis waiting for longer than the cap of counting, a gateway counts
// alone for a second, as it promises to.
describe('limits', { retry: 2 }, () => {
  test('RateLimit and RateLimit-Policy have the remaining tokens, and count down', async () => {
    const address = newAddress()
    const [first, second] = [await send(path, { address }), await send(path, { address })]
    expect(parseList(String(first.headers['ratelimit-policy']))).toEqual([
      { value: 'address', parameters: { q: addressQuota, w: 900 } },
    ])
    expect([left(first), left(second)]).toEqual([addressQuota - 1, addressQuota - 2])
  })

  test('429 rate_limited: an address over its quota, with Retry-After and the policies violated; others go on', async () => {
    const address = newAddress()
    await use(address)
    const answer = await send(path, { address })
    expect(outcome(answer)).toBe('429 rate_limited')
    expect(json(answer)).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      'violated-policies': ['address'],
    })
    expect(limitsOf(answer)[0]?.parameters).toEqual({ r: 0, t: Number(answer.headers['retry-after']) })
    expect(outcome(await send(path))).toBe('200')
  })

  test('exactly the quota passes of twice as many requests at once', async () => {
    const address = newAddress()
    const answers = await Promise.all(Array.from({ length: addressQuota * 2 }, () => send(path, { address })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(addressQuota)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(addressQuota)
  })

  test('what a client writes into X-Forwarded-For does not move it to another bucket', async () => {
    const address = newAddress()
    await send(path, { address })
    expect(left(await send(path, { address: `${newAddress()}, ${address}` }))).toBe(addressQuota - 2)
  })

  test('addresses of one IPv6 /64 are one caller, and ::ffff: forms are their IPv4 address', async () => {
    const half = () => crypto.randomUUID().slice(0, 4)
    const prefix = `2001:db8:${half()}:${half()}`
    await send(path, { address: `${prefix}::1` })
    expect(left(await send(path, { address: `${prefix}:ffff::2` }))).toBe(addressQuota - 2)
    const address = newAddress()
    await send(path, { address })
    expect(left(await send(path, { address: `::ffff:${address}` }))).toBe(addressQuota - 2)
  })

  test('429 rate_limited: a user over the quota of the plan in the token, from any address', async () => {
    const token = await issuer.sign({ quota: 2 })
    const outcomes = []
    for (let i = 0; i < 3; i++) outcomes.push(outcome(await send('/try/closed', { token })))
    expect(outcomes).toEqual(['200', '200', '429 rate_limited'])
  })

  test('a row with two limits counts against both', async () => {
    const answer = await send('/try/both-limits', { token: await issuer.sign({ quota: 50 }) })
    expect(limitsOf(answer).map(({ value, parameters }) => [value, parameters.r])).toEqual([
      ['user', 49],
      ['address', addressQuota - 1],
    ])
  })

  test('429 rate_limited: an address that fails to authenticate too often; 200: a valid token of it all the same', async () => {
    const address = newAddress()
    const attempt: Sent = { address, token: await issuer.sign({ aud: 'other' }) }
    for (let i = 0; i < addressQuota; i++) expect((await send('/try/closed', attempt)).status).toBe(401)
    expect(outcome(await send('/try/closed', attempt))).toBe('429 rate_limited')
    const fresh = { address, token: await issuer.sign() }
    expect(outcome(await send('/try/closed', fresh))).toBe('200')
  })

  test('a request without a row consumes no token', async () => {
    const address = newAddress()
    for (let i = 0; i < 3; i++) await send('/try/nowhere', { address })
    expect(left(await send(path, { address }))).toBe(addressQuota - 1)
  })
})
