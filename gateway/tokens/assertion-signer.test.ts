import { describe, expect, test } from 'vitest'
import { createAssertionVerifier } from '../../shared/auth/assertion.ts'
import { identitySchema } from '../../shared/auth/claims.ts'
import { generateKey, importWebSigner } from '../../shared/auth/jwk.ts'
import { createClock } from '../../test/support/clock.ts'
import { bearer } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { createIssuer } from '../../test/support/gateway/issuer.ts'
import { createAssertionSigner } from './assertion-signer.ts'
import { createIdentityInterner, toPlainIdentity } from './identity-interner.ts'

const clock = createClock()
const { publicJwk, privateJwk } = await generateKey()
const signer = await importWebSigner(privateJwk)
const issuer = await createIssuer(clock.now)

const verifierFor = (audience: string) =>
  createAssertionVerifier({ keys: [publicJwk], audience, now: clock.now })
const compactIdentity = createIdentityInterner()
const caller = () => ({
  ...compactIdentity(identitySchema.parse(issuer.claims())),
  assertion: undefined,
})

describe('createAssertions', () => {
  test('one for each token and upstream, also when many ask at once', async () => {
    const assertionFor = createAssertionSigner({ signer, now: clock.now })
    const ada = caller()
    const made = await Promise.all(Array.from({ length: 50 }, () => assertionFor(ada, 'reports')))
    expect(new Set(made).size).toBe(1)
    expect(await assertionFor(ada, 'origin')).not.toBe(made[0])
    expect(await assertionFor(caller(), 'reports')).not.toBe(made[0])
  })

  test('is verified by its upstream alone, and names the caller', async () => {
    const assertionFor = createAssertionSigner({ signer, now: clock.now })
    const ada = caller()
    const jwt = await assertionFor(ada, 'reports')
    expect(await (await verifierFor('reports'))(jwt)).toMatchObject({
      user: toPlainIdentity(ada.identity),
    })
    expect(await (await verifierFor('origin'))(jwt)).toBeUndefined()
  })

  test('a signature that failed is not kept: the next request signs anew', async () => {
    const failures = [new Error('no signature')]
    const failing = {
      kid: signer.kid,
      sign: async (text: string) => {
        const failure = failures.pop()
        if (failure) throw failure
        return await signer.sign(text)
      },
    }
    const assertionFor = createAssertionSigner({ signer: failing, now: clock.now })
    await expect(assertionFor(null, 'reports')).rejects.toThrow('no signature')
    expect(await (await verifierFor('reports'))(await assertionFor(null, 'reports'))).toBeDefined()
  })

  test('of two that are signed at once each has the signature of its own claims', async () => {
    const begun: Array<() => void> = []
    const slow = {
      kid: signer.kid,
      async sign(text: string) {
        await new Promise<void>((resolve) => begun.push(resolve))
        return await signer.sign(text)
      },
    }
    const assertionFor = createAssertionSigner({ signer: slow, now: clock.now })
    const ada = caller()
    const first = assertionFor(ada, 'reports')
    clock.advance(280)
    const second = assertionFor(ada, 'reports')
    for (const go of begun) go()
    const verify = await verifierFor('reports')
    expect(await verify(await first)).toBeDefined()
    expect(await verify(await second)).toBeDefined()
    expect(await assertionFor(ada, 'reports')).toBe(await second)
  })

  test('an anonymous one has no user, and is not valid at another upstream', async () => {
    const assertionFor = createAssertionSigner({ signer, now: clock.now })
    const jwt = await assertionFor(null, 'reports')
    expect(await (await verifierFor('reports'))(jwt)).toMatchObject({ user: null })
    expect(await (await verifierFor('origin'))(jwt)).toBeUndefined()
  })

  test('is the same for most of its five minutes, and made anew before they end', async () => {
    const assertionFor = createAssertionSigner({ signer, now: clock.now })
    const verify = await verifierFor('reports')
    const ada = caller()
    const first = await assertionFor(ada, 'reports')
    clock.advance(279)
    expect(await assertionFor(ada, 'reports')).toBe(first)
    expect(await verify(first)).toBeDefined()
    clock.advance(1)
    const second = await assertionFor(ada, 'reports')
    expect(second).not.toBe(first)
    clock.advance(26)
    expect(await verify(first)).toBeUndefined()
    expect(await verify(second)).toBeDefined()
  })
})

test('is made anew when the clock was set back behind its beginning', async () => {
  const assertionFor = createAssertionSigner({ signer, now: clock.now })
  const ada = caller()
  clock.advance(300)
  const early = await assertionFor(ada, 'reports')
  clock.advance(-300)
  const verify = await verifierFor('reports')
  expect(await verify(early)).toBeUndefined()
  expect(await verify(await assertionFor(ada, 'reports'))).toBeDefined()
})

describe('over HTTP', () => {
  test('a user is named to the upstream, except on a public path, even with a token', async () => {
    const harness = await createGatewayHarness()
    const { keys } = JSON.parse(harness.secrets.ASSERTION_PUBLIC_JWKS)
    const verify = await createAssertionVerifier({ keys, audience: 'reports' })
    const headers = bearer(await harness.issuer.sign({ email: 'ada@example.com' }))
    await harness.call('/closed', { headers })
    expect((await verify(harness.last().headers.get('gatehouse-assertion') ?? ''))?.user?.email).toBe(
      'ada@example.com',
    )
    await harness.call('/open', { headers })
    expect(await verify(harness.last().headers.get('gatehouse-assertion') ?? '')).toMatchObject({
      user: null,
    })
  })

  test('each upstream gets one for itself', async () => {
    const harness = await createGatewayHarness({
      policy: [openRow, { ...openRow, path: '/there', upstream: 'origin' }],
    })
    const { keys } = JSON.parse(harness.secrets.ASSERTION_PUBLIC_JWKS)
    await harness.call('/there')
    const jwt = harness.last().headers.get('gatehouse-assertion') ?? ''
    expect(await (await createAssertionVerifier({ keys, audience: 'origin' }))(jwt)).toBeDefined()
    expect(await (await createAssertionVerifier({ keys, audience: 'reports' }))(jwt)).toBeUndefined()
  })
})
