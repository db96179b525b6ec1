import { setImmediate } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { importWebVerifier } from '../../shared/auth/jwk.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createClock } from '../../test/support/clock.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { createIssuer } from '../../test/support/gateway/issuer.ts'
import { createKeySet, KeysUnavailableError } from './jwks-cache.ts'

const one = await createIssuer()
const other = await createIssuer()
const oneKid = one.publicJwk.kid
const otherKid = other.publicJwk.kid

let clock: ReturnType<typeof createClock>
let reads: number
/** Seconds for which the origin does not answer. */
let hangs: number
/** The origin's response; an Error where the origin is unreachable. */
let answer: unknown

beforeEach(() => {
  clock = createClock()
  reads = 0
  hangs = 0
  answer = one.jwks
})

/** Resolves when the cache has processed the origin's response. */
async function settled() {
  await setImmediate()
  await setImmediate()
}

function openKeySet(options: { freshSeconds?: number } = {}) {
  return createKeySet({
    importVerifier: importWebVerifier,
    now: clock.now,
    log: createCapturedLog('gateway').log,
    freshSeconds: 300,
    staleSeconds: 3600,
    async fetchKeys() {
      reads++
      const answeredAt = clock.now() + hangs * 1000
      do await setImmediate()
      while (clock.now() < answeredAt)
      if (answer instanceof Error) throw answer
      return answer
    },
    ...options,
  })
}

describe('reading', () => {
  test('one read serves a hundred callers at once', async () => {
    const keys = openKeySet()
    const found = await Promise.all(Array.from({ length: 100 }, () => keys.find(oneKid)))
    expect(found.every((key) => key === found[0] && key !== undefined)).toBe(true)
    expect(reads).toBe(1)
  })

  test('a set is refreshed shortly before it expires, and is used meanwhile', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    clock.advance(289)
    await keys.find(oneKid)
    expect(reads).toBe(1)
    clock.advance(1)
    answer = other.jwks
    expect(keys.find(oneKid)).toBeTypeOf('function')
    await expect.poll(() => keys.ageSeconds()).toBe(0)
    expect(reads).toBe(2)
    expect(await keys.find(oneKid)).toBeUndefined()
  })

  test('a set that was not used until it expired is read again before it is trusted', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    clock.advance(300)
    answer = other.jwks
    expect(await keys.find(oneKid)).toBeUndefined()
    expect(reads).toBe(2)
  })

  test('a clock that is set back does not extend the use of cached keys: they are read again first', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    clock.advance(-3600)
    answer = other.jwks
    expect(await keys.find(oneKid)).toBeUndefined()
    expect(await keys.find(otherKid)).toBeDefined()
  })

  test('a set that is held for a second is read each second', async () => {
    const keys = openKeySet({ freshSeconds: 1 })
    await keys.find(oneKid)
    clock.advance(1)
    answer = other.jwks
    expect(await keys.find(oneKid)).toBeUndefined()
  })

  test('a key that is new at the origin is found at once', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    clock.advance(10)
    answer = { keys: [one.publicJwk, other.publicJwk] }
    expect(await keys.find(otherKid)).toBeDefined()
    expect(reads).toBe(2)
  })

  test('a key that is gone at the origin is gone here with the next read', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    clock.advance(300)
    answer = other.jwks
    await keys.refresh()
    expect(await keys.find(oneKid)).toBeUndefined()
  })
})

describe('the cooldown', () => {
  // Each token with a made-up kid would otherwise be a request to the origin.
  test('a thousand unknown kids cause one read in each cooldown', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    clock.advance(11)
    for (let i = 0; i < 1000; i++) expect(await keys.find(`made-up-${i}`)).toBeUndefined()
    expect(reads).toBe(2)
  })

  test('an unreachable origin is called once per cooldown', async () => {
    const keys = openKeySet()
    answer = new Error('down')
    for (let i = 0; i < 50; i++) await expect(keys.find(oneKid)).rejects.toThrow(KeysUnavailableError)
    expect(reads).toBe(1)
    clock.advance(10)
    answer = one.jwks
    expect(await keys.find(oneKid)).toBeDefined()
    expect(reads).toBe(2)
  })
})

describe('while the origin is down', () => {
  test('the last set verifies up to its stated age and no longer', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    answer = new Error('down')
    clock.advance(3599)
    expect(await keys.find(oneKid)).toBeDefined()
    expect(keys.isUsable()).toBe(true)
    clock.advance(11)
    expect(keys.isUsable()).toBe(false)
    await expect(keys.find(oneKid)).rejects.toThrow(KeysUnavailableError)
  })

  test('callers that find it expired wait for one read; once that has failed, no caller waits during the cooldown', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    answer = new Error('down')
    clock.advance(1000)
    const waited = [keys.find(oneKid), keys.find(oneKid)]
    expect(waited.map((one) => one instanceof Promise)).toEqual([true, true])
    expect(await Promise.all(waited)).not.toContain(undefined)
    expect(reads).toBe(2)
    for (let tries = 3; tries < 10; tries++) {
      clock.advance(19)
      const atOnce = [keys.find(oneKid), keys.find(oneKid)]
      expect(atOnce.map((one) => typeof one)).toEqual(['function', 'function'])
      await settled()
      expect(reads).toBe(tries)
    }
  })

  test.each([1, 5, 300])('nor with one that hangs, at any age (%s s)', async (freshSeconds) => {
    const keys = openKeySet({ freshSeconds })
    await keys.find(oneKid)
    answer = new Error('down')
    hangs = 3
    const stepSeconds = 0.1
    let waited = 0
    for (let seconds = 0; seconds < freshSeconds + 60; seconds += stepSeconds) {
      clock.advance(stepSeconds)
      if (keys.find(oneKid) instanceof Promise) waited++
      await settled()
    }
    expect(waited).toBe(0)
    expect(reads).toBeGreaterThan(2)
  })

  test('after hours without a caller the old set is not used before it was read again', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    clock.advance(295)
    answer = new Error('down')
    await keys.refresh()
    clock.advance(5 * 3600)
    answer = other.jwks
    expect(await Promise.all([keys.find(oneKid), keys.find(oneKid)])).toEqual([undefined, undefined])
  })

  test('an unknown kid is unknown, not a failure', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    answer = new Error('down')
    clock.advance(11)
    expect(await keys.find('made-up')).toBeUndefined()
  })
})

describe('responses of the origin', () => {
  test('a document that is no key set leaves the last one in place', async () => {
    const keys = openKeySet()
    await keys.find(oneKid)
    for (const wrong of [{}, { keys: {} }, [], null, 'x', { keys: [] }, { keys: [{ kty: 'RSA' }] }]) {
      answer = wrong
      clock.advance(300)
      await keys.refresh()
      expect(await keys.find(oneKid)).toBeDefined()
    }
  })

  // RFC 7517, section 5: what one cannot use, one ignores; a new kind of key must not take the
  // others down.
  test('keys of other kinds, and one that is no point of the curve, do not spoil the rest', async () => {
    const odd = [
      null,
      {},
      { kty: 'RSA', kid: 'rsa', n: 'x', e: 'AQAB' },
      { kty: 'oct', kid: 'k', k: 'c2VjcmV0' },
    ]
    const offCurve = { ...other.publicJwk, y: other.publicJwk.x }
    answer = { keys: [...odd, offCurve, one.publicJwk] }
    const keys = openKeySet()
    expect(await keys.find(oneKid)).toBeDefined()
    expect(await keys.find(otherKid)).toBeUndefined()
  })
})

describe('over HTTP', () => {
  test('503 keys_unavailable: no key set was ever read; with Retry-After, never a false 401', async () => {
    const harness = await createGatewayHarness({
      keys: () => {
        throw new Error('down')
      },
    })
    const answer = await harness.call('/closed', { headers: bearer(await harness.issuer.sign()) })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect((await problem(answer)).code).toBe('keys_unavailable')
    expect((await harness.call('/open')).status).toBe(200)
  })

  test('503 keys_unavailable: the set is past its age; it recovers by itself', async () => {
    let down = false
    const harness = await createGatewayHarness({
      now: clock.now,
      keys: (jwks) => {
        if (down) throw new Error('down')
        return jwks
      },
    })
    down = true
    clock.advance(86_399)
    expect((await harness.call('/closed', { headers: bearer(await harness.issuer.sign()) })).status).toBe(200)
    clock.advance(11)
    const token = await harness.issuer.sign()
    expect((await harness.call('/closed', { headers: bearer(token) })).status).toBe(503)
    down = false
    clock.advance(10)
    expect((await harness.call('/closed', { headers: bearer(token) })).status).toBe(200)
  })

  test('401 invalid_token: signed by a key that the set has for something else than verifying', async () => {
    const good = await createIssuer(clock.now)
    const harness = await createGatewayHarness({
      now: clock.now,
      keys: (jwks) => {
        const [key] = (jwks as { keys: object[] }).keys
        return { keys: [{ ...key, key_ops: ['deriveBits'] }, good.publicJwk] }
      },
    })
    const statusOf = async (token: string) =>
      (await harness.call('/closed', { headers: bearer(token) })).status
    expect(await statusOf(await harness.issuer.sign())).toBe(401)
    expect(await statusOf(await good.sign())).toBe(200)
  })

  test('401 invalid_token: a thousand tokens with random kids, and at most one read of the key set', async () => {
    const harness = await createGatewayHarness({
      now: clock.now,
      environment: { LIMIT_ADDRESS_REQUESTS: '1000000' },
    })
    const before = harness.keyReads()
    clock.advance(11)
    const tokens = await Promise.all(
      Array.from({ length: 1000 }, () => harness.issuer.sign({}, { kid: crypto.randomUUID() })),
    )
    const answers = await Promise.all(
      tokens.map((token) => harness.call('/closed', { headers: bearer(token) })),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]))
    expect(harness.keyReads() - before).toBe(1)
  })

  test('200: a token of a key published after the start', async () => {
    const next = await createIssuer(clock.now)
    let published: unknown
    const harness = await createGatewayHarness({ now: clock.now, keys: (jwks) => published ?? jwks })
    published = { keys: [harness.issuer.publicJwk, next.publicJwk] }
    clock.advance(11)
    for (const issuer of [harness.issuer, next])
      expect((await harness.call('/closed', { headers: bearer(await issuer.sign()) })).status).toBe(200)
  })
})
