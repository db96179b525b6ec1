import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createAssertionKeys as createGatewayKeys } from '../../gateway/tokens/assertion-keys.ts'
import { createAssertionSigner } from '../../gateway/tokens/assertion-signer.ts'
import { createAssertionVerifier } from '../../shared/auth/assertion.ts'
import { requestAssertionKey } from '../../shared/auth/assertion-keys.ts'
import { generateKey, importWebSigner, type PublicJwk } from '../../shared/auth/jwk.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createClock } from '../../test/support/clock.ts'
import { type KeyDatabase, openKeyDatabase, operator } from '../../test/support/database/key-database.ts'
import { createAssertionKeys } from './assertion-keys.ts'
import { createFirstKey } from './first-key.ts'
import { assertionKeyWaits, ringLagSeconds, verifierCacheSeconds } from './rules.ts'
import { createKeyService } from './service.ts'

const waits = assertionKeyWaits({ SIGNING_KEY_DAYS: 90 })

let keys: KeyDatabase
let gatewayKey: Awaited<ReturnType<typeof generateKey>>
beforeAll(async () => {
  keys = await openKeyDatabase()
  gatewayKey = await generateKey()
})
beforeEach(() => keys.clear())
afterAll(() => keys.close())

const firstKey = () => createFirstKey(keys.sql, keys.encryption, operator, 'assertion_keys')

const openOrigin = (now = Date.now) =>
  createAssertionKeys({
    now,
    sql: keys.sql,
    encryption: keys.encryption,
    waits,
    gatewayKeys: [gatewayKey.publicJwk],
  })

/** Lets time go by for every key. */
const pass = (seconds: number) =>
  keys.sql`
    update assertion_keys set state_since = state_since - make_interval(secs => ${seconds}),
      created_at = created_at - make_interval(secs => ${seconds})`

async function openGateway(encryptFor: (request: string) => Promise<string | undefined>, now = Date.now) {
  const own = await importWebSigner(gatewayKey.privateJwk)
  const { log, lines } = createCapturedLog('gateway')
  const gateway = createGatewayKeys({
    own,
    fetchKey: async (request) => (await encryptFor(request)) ?? null,
    importSigner: importWebSigner,
    now,
    log,
  })
  await gateway.refresh()
  const assertionFor = createAssertionSigner({ signer: gateway.signer, now })
  return {
    lines,
    refresh: gateway.refresh,
    sign: async () => assertionFor(null, 'orders'),
    async kid() {
      return decodeProtectedHeader(await assertionFor(null, 'orders')).kid
    },
  }
}

describe('the key that signs', () => {
  test('is delivered encrypted, and only once services had time to read the document', async () => {
    const kid = await firstKey()
    const origin = await openOrigin()
    const gateway = await openGateway(origin.encryptFor)
    expect(await gateway.kid()).toBe(gatewayKey.publicJwk.kid)

    await pass(waits.published)
    await origin.refresh()
    await gateway.refresh()
    expect(await gateway.kid()).toBe(kid)
  })

  test('is unreadable to all but the gateway that asked, and differs each time', async () => {
    await firstKey()
    await pass(waits.published)
    const origin = await openOrigin()
    const signer = await importWebSigner(gatewayKey.privateJwk)
    const nowSeconds = Math.floor(Date.now() / 1000)
    const [one, other] = [
      await requestAssertionKey(signer, nowSeconds),
      await requestAssertionKey(signer, nowSeconds),
    ]
    const answer = (await origin.encryptFor(one.request)) ?? ''
    expect(answer.split('.')).toHaveLength(5)
    expect((await one.decrypt(answer)).d).toHaveLength(43)
    await expect(other.decrypt(answer)).rejects.toThrow('decryption operation failed')
  })

  test('is delivered to nobody else: another key, another audience, an old request, a changed key', async () => {
    await firstKey()
    await pass(waits.published)
    const origin = await openOrigin()
    const nowSeconds = Math.floor(Date.now() / 1000)
    const stranger = await importWebSigner((await generateKey()).privateJwk)
    const own = await importWebSigner(gatewayKey.privateJwk)
    const posing = { kid: own.kid, sign: stranger.sign }
    const { request } = await requestAssertionKey(own, nowSeconds)
    const [head, payload = '', signature] = request.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const { request: theirs } = await requestAssertionKey(stranger, nowSeconds)
    const [, foreign = ''] = theirs.split('.')
    const { jwk } = JSON.parse(Buffer.from(foreign, 'base64url').toString())
    const changed = Buffer.from(JSON.stringify({ ...claims, jwk })).toString('base64url')
    const assertion = await createAssertionSigner({ signer: own, now: Date.now })(null, 'origin-gateway')
    for (const refused of [
      theirs,
      (await requestAssertionKey(posing, nowSeconds)).request,
      (await requestAssertionKey(own, nowSeconds - 120)).request,
      `${head}.${changed}.${signature}`,
      assertion,
      'x',
    ])
      expect(await origin.encryptFor(refused)).toBeUndefined()
    expect(await origin.encryptFor(request)).toBeDefined()
  })

  test('stays out of the document, which has the gateways’ own keys too', async () => {
    const kid = await firstKey()
    const origin = await openOrigin()
    expect(origin.published().map((jwk) => jwk.kid)).toEqual([kid, gatewayKey.publicJwk.kid])
    expect(JSON.stringify(origin.published())).not.toContain('"d"')
    expect(origin.rotated().map((jwk) => jwk.kid)).toEqual([kid])
  })

  test('is one, however many origins start at once; an audit row says what it is for', async () => {
    const made = await Promise.all(Array.from({ length: 10 }, firstKey))
    expect(made.filter((kid) => kid !== undefined)).toHaveLength(1)
    expect(await keys.sql`select details from audit_logs where action = 'key.signing'`).toMatchObject([
      { details: { of: 'assertions', reason: 'first' } },
    ])
    expect(await keys.sql`select from signing_keys`).toHaveLength(0)
  })
})

/**
 * The worst that the waits allow for: two origins, of which the second sees each step only after
 * `ringLagSeconds`; two gateways, one behind each; and a service that reads the document of the
 * second as rarely as it may.
 */
test('an assertion of either gateway is verified in every state of a rotation; the old key ends', async () => {
  const clock = createClock()
  const first = await firstKey()
  await pass(waits.published)
  const service = createKeyService({
    sql: keys.sql,
    encryption: keys.encryption,
    waits,
    table: 'assertion_keys',
  })
  const [prompt, late] = [await openOrigin(clock.now), await openOrigin(clock.now)]
  const gateways = [
    await openGateway(prompt.encryptFor, clock.now),
    await openGateway(late.encryptFor, clock.now),
  ]
  let document: readonly PublicJwk[] = late.published()
  const verify = await createAssertionVerifier({
    keys: [],
    rotatedKeys: () => document,
    audience: 'orders',
    now: clock.now,
  })
  const kids = new Set<string | undefined>()
  await service.publishSuccessor(operator)

  const tickSeconds = 30
  const seconds = waits.published + waits.retiring + 10 * 60
  for (let elapsed = 0; elapsed < seconds; elapsed += tickSeconds) {
    clock.advance(tickSeconds)
    await pass(tickSeconds)
    await service.takeStep(operator)
    await prompt.refresh()
    if (elapsed % ringLagSeconds === 0) await late.refresh()
    if (elapsed % verifierCacheSeconds === 0) document = late.published()
    for (const gateway of gateways) {
      if (elapsed % 60 === 0) await gateway.refresh()
      expect(await verify(await gateway.sign())).toEqual({ user: null, exp: expect.any(Number) })
      kids.add(await gateway.kid())
    }
  }
  expect(kids.size).toBe(2)
  expect(prompt.rotated().map(({ kid }) => kid)).not.toContain(first)
  for (const gateway of gateways) expect(await gateway.kid()).not.toBe(first)
})

test('a gateway without the origin goes on with its key for ten minutes, then with its own', async () => {
  const clock = createClock()
  const kid = await firstKey()
  await pass(waits.published)
  const origin = await openOrigin(clock.now)
  let isAway = false
  const gateway = await openGateway(async (request) => {
    if (isAway) throw new Error('away')
    return origin.encryptFor(request)
  }, clock.now)
  isAway = true
  clock.advance(599)
  await gateway.refresh()
  expect(await gateway.kid()).toBe(kid)
  clock.advance(1)
  await gateway.refresh()
  expect(await gateway.kid()).toBe(gatewayKey.publicJwk.kid)
  isAway = false
  clock.advance(60)
  await gateway.refresh()
  expect(await gateway.kid()).toBe(kid)
  expect(gateway.lines.filter(({ msg }) => msg === 'another key signs assertions')).toHaveLength(3)
})

test('a change of key signs every cached assertion anew', async () => {
  const clock = createClock()
  const [one, other] = [await generateKey(), await generateKey()]
  const signers = await Promise.all([one, other].map(({ privateJwk }) => importWebSigner(privateJwk)))
  let at = 0
  const signer = () => signers[at] ?? signers[0]
  const assertionFor = createAssertionSigner({ signer: signer as () => (typeof signers)[0], now: clock.now })
  const verify = await createAssertionVerifier({
    keys: [one.publicJwk, other.publicJwk],
    audience: 'orders',
    now: clock.now,
  })
  for (const next of [0, 1, 0]) {
    at = next
    for (let second = 0; second < 3; second++) {
      const jwt = await assertionFor(null, 'orders')
      expect(decodeProtectedHeader(jwt).kid).toBe(signers[at]?.kid)
      expect(await verify(jwt)).toBeDefined()
      clock.advance(1)
    }
  }
  expect(await assertionFor(null, 'orders')).toBe(await assertionFor(null, 'orders'))
})
