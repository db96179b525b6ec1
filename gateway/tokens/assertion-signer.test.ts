import { describe, expect, test } from 'vitest'
import { createAssertionOpener } from '../../shared/auth/assertion.ts'
import { identitySchema } from '../../shared/auth/claims.ts'
import { generateKey, importWebSigner } from '../../shared/auth/jwk.ts'
import { createClock } from '../../test/support/clock.ts'
import { createIssuer } from '../../test/support/issuer.ts'
import { createStand, openRow } from '../../test/support/stand.ts'
import { bearer } from '../../test/support/world.ts'
import { createAssertions } from './assertion-signer.ts'

const clock = createClock()
const { publicJwk, privateJwk } = await generateKey()
const signer = await importWebSigner(privateJwk)
const issuer = await createIssuer(clock.now)

const openAs = (audience: string) => createAssertionOpener({ keys: [publicJwk], audience, now: clock.now })
const caller = () => ({
  identity: identitySchema.parse(issuer.claims()),
  expiresAt: clock.seconds + 900,
  assertion: undefined,
})

describe('createAssertions', () => {
  test('one for each token and upstream, also when many ask at once', async () => {
    const assertionFor = createAssertions({ signer, now: clock.now })
    const ada = caller()
    const made = await Promise.all(Array.from({ length: 50 }, () => assertionFor(ada, 'reports')))
    expect(new Set(made).size).toBe(1)
    expect(await assertionFor(ada, 'origin')).not.toBe(made[0])
    expect(await assertionFor(caller(), 'reports')).not.toBe(made[0])
  })

  test('opens for its upstream alone, and says who is calling', async () => {
    const assertionFor = createAssertions({ signer, now: clock.now })
    const ada = caller()
    const sealed = await assertionFor(ada, 'reports')
    expect(await (await openAs('reports'))(sealed)).toMatchObject({ user: ada.identity })
    expect(await (await openAs('origin'))(sealed)).toBeUndefined()
  })

  test('an anonymous one carries no user, and is not that of another upstream', async () => {
    const assertionFor = createAssertions({ signer, now: clock.now })
    const sealed = await assertionFor(null, 'reports')
    expect(await (await openAs('reports'))(sealed)).toMatchObject({ user: null })
    expect(await (await openAs('origin'))(sealed)).toBeUndefined()
  })

  test('is the same for most of its five minutes, and made anew before they end', async () => {
    const assertionFor = createAssertions({ signer, now: clock.now })
    const open = await openAs('reports')
    const ada = caller()
    const first = await assertionFor(ada, 'reports')
    clock.advance(279)
    expect(await assertionFor(ada, 'reports')).toBe(first)
    expect(await open(first)).toBeDefined()
    clock.advance(1)
    const second = await assertionFor(ada, 'reports')
    expect(second).not.toBe(first)
    clock.advance(26)
    expect(await open(first)).toBeUndefined()
    expect(await open(second)).toBeDefined()
  })
})

test('is made anew when the clock was set back behind its beginning', async () => {
  const assertionFor = createAssertions({ signer, now: clock.now })
  const ada = caller()
  clock.advance(300)
  const early = await assertionFor(ada, 'reports')
  clock.advance(-300)
  const open = await openAs('reports')
  expect(await open(early)).toBeUndefined()
  expect(await open(await assertionFor(ada, 'reports'))).toBeDefined()
})

describe('over HTTP', () => {
  test('a user is named to the upstream, nobody is named on a public path even with a token', async () => {
    const stand = await createStand()
    const { keys } = JSON.parse(stand.secrets.ASSERTION_PUBLIC_JWKS)
    const open = await createAssertionOpener({ keys, audience: 'reports' })
    const headers = bearer(await stand.issuer.sign({ email: 'ada@example.com' }))
    await stand.call('/closed', { headers })
    expect((await open(stand.last().headers.get('gatehouse-assertion') ?? ''))?.user?.email).toBe(
      'ada@example.com',
    )
    await stand.call('/open', { headers })
    expect(await open(stand.last().headers.get('gatehouse-assertion') ?? '')).toMatchObject({ user: null })
  })

  test('each upstream gets one for itself', async () => {
    const stand = await createStand({ policy: [openRow, { ...openRow, path: '/there', upstream: 'origin' }] })
    const { keys } = JSON.parse(stand.secrets.ASSERTION_PUBLIC_JWKS)
    await stand.call('/there')
    const sealed = stand.last().headers.get('gatehouse-assertion') ?? ''
    expect(await (await createAssertionOpener({ keys, audience: 'origin' }))(sealed)).toBeDefined()
    expect(await (await createAssertionOpener({ keys, audience: 'reports' }))(sealed)).toBeUndefined()
  })
})
