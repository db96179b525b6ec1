import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Signer } from '../../shared/auth/jwk.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { createClock } from '../../test/support/clock.ts'
import { type KeyDatabase, openKeyDatabase, operator } from '../../test/support/database/key-database.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { createIssuer, encodePart } from '../../test/support/gateway/issuer.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { createOrigin } from '../origin.ts'
import { createEncryption } from './encryption.ts'
import { createFirstKey } from './first-key.ts'
import { createKeyRing } from './key-ring.ts'
import { keyWaits, ringLagSeconds } from './rules.ts'
import { createKeyService } from './service.ts'

describe('a rotation under load', () => {
  const tickSeconds = 5
  const config = {
    JWKS_CACHE_SECONDS: 20,
    ACCESS_TOKEN_SECONDS: 60,
    SERVICE_TOKEN_SECONDS: 60,
    SIGNING_KEY_DAYS: 90,
  }
  let keys: KeyDatabase
  beforeAll(async () => {
    keys = await openKeyDatabase()
  })
  afterAll(() => keys.close())

  /**
   * The worst that the waits allow for: one replica makes each step and sees it at once, the other
   * sees each only after `ringLagSeconds`, and each gateway reads the key set of but one of them.
   * Both replicas sign all the time; every token is shown to both gateways when it is new and,
   * another one of its moment, when it is about to expire.
   */
  test('200: every token at every gateway in every state; 401: the old key once it is gone', async () => {
    const clock = createClock()
    const startSeconds = clock.seconds
    const elapsed = () => clock.seconds - startSeconds
    const waits = keyWaits(config)
    const service = createKeyService({ sql: keys.sql, encryption: keys.encryption, waits })
    const old = await createFirstKey(keys.sql, keys.encryption)
    const replicas = [
      await createKeyRing(keys.sql, keys.encryption),
      await createKeyRing(keys.sql, keys.encryption),
    ] as const
    const [prompt, late] = replicas
    const harnesses = await Promise.all(
      replicas.map((replica) =>
        createGatewayHarness({
          now: clock.now,
          keys: () => ({ keys: replica.published() }),
          environment: {
            JWKS_CACHE_SECONDS: String(config.JWKS_CACHE_SECONDS),
            ...highLimits,
          },
        }),
      ),
    )
    const { claims } = await createIssuer(clock.now)
    const sign = async (signer: Signer) => {
      const header = { alg: 'ES256', kid: signer.kid, typ: 'at+jwt' }
      const payload = claims({ exp: clock.seconds + config.ACCESS_TOKEN_SECONDS })
      const signed = `${encodePart(header)}.${encodePart(payload)}`
      return `${signed}.${await signer.sign(signed)}`
    }
    const show = async (token: string) =>
      Promise.all(
        harnesses.map(async ({ call }) => (await call('/closed', { headers: bearer(token) })).status),
      )

    /**
     * When each key's state began, in seconds of the test; the database is told before each step.
     */
    const since = new Map([[old, -Infinity]])
    const setTimes = async () => {
      for (const [kid, at] of since) {
        const age = Math.min(elapsed() - at, waits.signing)
        await keys.sql`
          update signing_keys set state_since = now() - make_interval(secs => ${age}) where kid = ${kid ?? ''}`
      }
    }

    const steps: string[] = []
    const laterTokens = new Map<number, string[]>()
    const oldKey = prompt.signing()
    let lateSeesAt = Number.POSITIVE_INFINITY
    let goneAt = Number.POSITIVE_INFINITY
    let shown = 0

    while (elapsed() < goneAt + ringLagSeconds + config.JWKS_CACHE_SECONDS + tickSeconds) {
      await setTimes()
      for (const { action, kid } of await service.takeStep(operator)) {
        steps.push(`${elapsed()} ${action}`)
        since.set(kid, elapsed())
        lateSeesAt = Math.min(lateSeesAt, elapsed() + ringLagSeconds)
        if (action === 'key.gone') goneAt = elapsed()
      }
      await prompt.refresh()
      if (elapsed() >= lateSeesAt) {
        await late.refresh()
        lateSeesAt = Number.POSITIVE_INFINITY
      }
      const fresh = await Promise.all(replicas.map((replica) => sign(replica.signing())))
      const kept = await Promise.all(replicas.map((replica) => sign(replica.signing())))
      laterTokens.set(elapsed() + config.ACCESS_TOKEN_SECONDS, kept)
      for (const token of [...fresh, ...(laterTokens.get(elapsed()) ?? [])]) {
        expect(await show(token), `at ${elapsed()} s, after ${steps.join(', ')}`).toEqual([200, 200])
        shown++
      }
      clock.advance(tickSeconds)
    }

    expect(steps).toEqual([
      '0 key.published',
      `${waits.published} key.retiring`,
      `${waits.published} key.signing`,
      `${waits.published + waits.retiring} key.gone`,
    ])
    expect(shown).toBeGreaterThan(300)
    expect(await show(await sign(oldKey))).toEqual([401, 401])
  })
})

describe('an origin in the middle of a rotation', () => {
  /**
   * The gateway's; behind the origin's, so that what the gateway signs is not from the future when
   * it is moved.
   */
  let clock: ReturnType<typeof createClock>
  const cacheSeconds = 30
  let fullStack: FullStack
  let rotate: ReturnType<typeof createKeyService>
  let restarted: Awaited<ReturnType<typeof createOrigin>> | undefined
  beforeEach(async () => {
    clock = createClock(Date.now() - 4 * cacheSeconds * 1000)
    fullStack = await createFullStack({
      now: clock.now,
      environment: { JWKS_CACHE_SECONDS: String(cacheSeconds) },
    })
    rotate = createKeyService({
      sql: fullStack.sql,
      encryption: createEncryption(fullStack.originConfig.KEY_ENCRYPTION_KEY),
      waits: keyWaits(fullStack.originConfig),
    })
  })
  afterEach(async () => {
    await restarted?.close()
    restarted = undefined
    await fullStack.close()
  })

  const pass = (seconds: number) =>
    fullStack.sql`update signing_keys set state_since = state_since - make_interval(secs => ${seconds})`
  const kidOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
  const me = (token: string) => fullStack.call('/v1/me', { headers: bearer(token) })

  /** The gateway's set gets old, and is read again before the next token comes. */
  async function gatewayReadsKeys() {
    clock.advance(cacheSeconds)
    expect((await fullStack.call('/ready')).status).toBe(200)
  }

  /** A new process on the same database takes the place of the origin. */
  async function restart(environment: Partial<typeof fullStack.originConfig> = {}) {
    await restarted?.close()
    restarted = await createOrigin(
      { ...fullStack.originConfig, ...environment },
      createCapturedLog('origin').log,
    )
    fullStack.upstreams.set(fullStack.gatewayConfig.ORIGIN_URL, restarted.app.fetch)
    return restarted
  }

  test('200: shows published, signing and retiring keys and no private member, also after a restart in production', async () => {
    const retiring = kidOf((await fullStack.signUp('ada@example.com')).tokens.access_token)
    const signing = await rotate.publishSuccessor(operator)
    await pass(720)
    await rotate.takeStep(operator)
    const published = await rotate.publishSuccessor(operator)

    const origin = await restart({ NODE_ENV: 'production', SMTP_URL: 'smtp://127.0.0.1:1' })
    const { keys } = (await (await origin.app.request('/.well-known/jwks.json')).json()) as {
      keys: Record<string, string>[]
    }
    expect(keys.map(({ kid }) => kid)).toEqual([retiring, signing, published])
    for (const key of keys)
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    expect(kidOf((await fullStack.login('ada@example.com', 'correct horse battery')).access_token)).toBe(
      signing,
    )
  })

  test('200: tokens of both keys through the gateway, whichever process signed them; 401 invalid_token: the old key when gone', async () => {
    const { tokens, email, password } = await fullStack.signUp('ada@example.com')
    const { access_token: held } = await fullStack.login(email, password)
    const next = await rotate.publishSuccessor(operator)
    await pass(720)
    await rotate.takeStep(operator)
    await restart()
    await gatewayReadsKeys()

    const { access_token: fresh } = await fullStack.login(email, password)
    expect(kidOf(fresh)).toBe(next)
    expect(kidOf(tokens.access_token)).not.toBe(next)
    for (const token of [tokens.access_token, fresh]) expect((await me(token)).status).toBe(200)

    await pass(1025)
    await rotate.takeStep(operator)
    await restart()
    await gatewayReadsKeys()
    expect((await me(fresh)).status).toBe(200)
    const refused = await me(held)
    expect(refused.status).toBe(401)
    expect((await problem(refused)).code).toBe('invalid_token')
  })

  test('401 invalid_token: tokens of a revoked key that the gateway has not seen; a refresh brings one that is good', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com')
    const outcome = await rotate.revoke(kidOf(tokens.access_token), { evenInUse: true }, operator)
    await restart()
    await gatewayReadsKeys()
    const answer = await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    const { access_token: fresh } = (await answer.json()) as { access_token: string }
    expect(outcome).toMatchObject({ kind: 'revoked', signing: kidOf(fresh) })
    expect((await me(fresh)).status).toBe(200)
    expect((await me(tokens.access_token)).status).toBe(401)
  })
})
