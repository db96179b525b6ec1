import { request } from 'undici'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import { user } from '../environment/tokens.ts'
import { type Contender, path } from './contenders.ts'
import { startContender } from './start-contender.ts'

/**
 * The header set of an API: C2 of the requirements, as Gatehouse sends it and every other contender
 * is configured to.
 */
const headerSet = [
  'content-security-policy',
  'strict-transport-security',
  'x-frame-options',
  'x-content-type-options',
  'referrer-policy',
  'permissions-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'origin-agent-cluster',
  'x-dns-prefetch-control',
  'x-download-options',
  'x-permitted-cross-domain-policies',
  'x-xss-protection',
]
const limitHeaders = ['ratelimit-policy', 'ratelimit']

/** Small limits, so that the checks reach them. */
const addressQuota = 6
const userQuota = 3

/** Length of every response body of the upstream. */
const bodyBytes = 300

/**
 * Checks that a contender does the work that it is measured for, on limits low enough to reach.
 *
 * @throws Error with the first thing that it does not do: what is not the same work is not measured
 */
export async function verifyEquivalence(
  name: string,
  contender: Contender,
  benchEnvironment: BenchEnvironment,
): Promise<void> {
  const running = await startContender(contender, benchEnvironment, { name: `proof:${name}`, addressQuota })
  let addresses = 0
  const nextAddress = () => `192.0.2.${++addresses}`

  function expect(what: string, isSo: boolean, but: unknown) {
    if (!isSo)
      throw new Error(`${contender.title} is not measured, as it does not do the work: ${what}, but ${but}`)
  }

  async function ask(token: string | undefined, address = nextAddress()) {
    const { statusCode, headers, body } = await request(running.url + path, {
      headers: {
        'x-forwarded-for': address,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
    })
    const missing = headerSet.filter((header) => !(header in headers))
    expect('every answer has the header set', missing.length === 0, `${statusCode} lacks ${missing}`)
    expect(
      'HSTS is for a year',
      /max-age=31536000/.test(String(headers['strict-transport-security'])),
      headers['strict-transport-security'],
    )
    return { statusCode, headers, text: await body.text() }
  }

  async function expectStatus(what: string, status: number, token: string | undefined, address?: string) {
    const { statusCode } = await ask(token, address)
    expect(`${what} is answered ${status}`, statusCode === status, `it was ${statusCode}`)
  }

  function expectLimits(headers: Record<string, unknown>) {
    const missing = limitHeaders.filter((header) => !(header in headers))
    expect('an answer says what is left', missing.length === 0, `it lacks ${missing}`)
  }

  try {
    const { issuer, upstream } = benchEnvironment
    const sign = (number: number, claims = {}) => issuer.sign({ ...user(number), ...claims })

    // Sends it twice, as a contender may cache tokens, and a cached one must get the same
    // treatment.
    const token = await sign(1)
    for (const _time of [1, 2]) {
      const { statusCode, headers, text } = await ask(token)
      expect('a valid token is answered 200', statusCode === 200, `it was ${statusCode}: ${text}`)
      expect("the answer is the upstream's", text.length === bodyBytes, `it has ${text.length} bytes`)
      if (contender.work === 'plain') return
      expectLimits(headers)
      const { lastHead } = await upstream.seen()
      const caller = callerOf(lastHead, contender.callerHeader ?? '')
      expect('the upstream is told who calls', caller === user(1).sub, `it was told ${caller}`)
      expect('the upstream never sees the token', !lastHead.includes(token), 'it did')
    }

    await expectStatus('no token', 401, undefined)
    await expectStatus('a changed signature', 401, changed(token))
    await expectStatus('an expired token', 401, await sign(2, { exp: Math.floor(Date.now() / 1000) - 60 }))
    await expectStatus("another audience's token", 401, await sign(2, { aud: 'somebody else' }))
    await expectStatus("another issuer's token", 401, await sign(2, { iss: 'http://127.0.0.1:1' }))

    const poor = await sign(3, { quota: userQuota })
    for (let asked = 0; asked < userQuota; asked++) await expectStatus('a request in the quota', 200, poor)
    await expectStatus('a request beyond the quota of the claim', 429, poor)

    const crowded = nextAddress()
    for (let number = 0; number < addressQuota; number++)
      await expectStatus("a request in the address's limit", 200, await sign(10 + number), crowded)
    await expectStatus("a request beyond the address's limit", 429, await sign(99), crowded)
  } finally {
    await running.stop()
  }
}

function callerOf(head: string, header: string): unknown {
  const line = head.split('\r\n').find((each) => each.toLowerCase().startsWith(`${header}:`))
  const value = line?.slice(header.length + 1).trim() ?? ''
  if (header !== 'gatehouse-assertion') return value
  return JSON.parse(Buffer.from(value.split('.')[1] ?? '', 'base64url').toString()).user.sub
}

/** A character in the middle of the signature, where every bit counts. */
function changed(token: string): string {
  const at = token.length - 40
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}
