import { afterEach, describe, expect, test } from 'vitest'
import { clockLeewaySeconds } from '../../shared/auth/claims.ts'
import type { Revocation } from '../../shared/auth/revocation.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createClock } from '../../test/support/clock.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import {
  createGatewayHarness,
  type GatewayHarness,
  type GatewayHarnessOptions,
} from '../../test/support/gateway/gateway-harness.ts'

const harnesses: GatewayHarness[] = []
afterEach(async () => {
  for (const harness of harnesses.splice(0)) await harness.close()
})

/** An origin's feed that a test writes. */
function createFeed() {
  const entries: Revocation[] = []
  const targets: string[] = []
  let down = false
  return {
    targets,
    set down(now: boolean) {
      down = now
    },
    end(sid: string, at = Date.now()) {
      entries.push({ scope: 'session', subject: sid, epoch: null, at, until: at + 960_000 })
    },
    raise(scope: Revocation['scope'], subject: string, epoch: number, at = Date.now()) {
      entries.push({ scope, subject, epoch, at, until: at + 960_000 })
    },
    answer(target: string) {
      targets.push(target)
      if (down) throw new Error('down')
      return { entries, next: String(entries.length + 1) }
    },
  }
}

async function start(options: GatewayHarnessOptions = {}) {
  const harness = await createGatewayHarness({ environment: { LIMIT_ADDRESS_REQUESTS: '5' }, ...options })
  harnesses.push(harness)
  return harness
}

const call = (harness: GatewayHarness, token: string) => harness.call('/closed', { headers: bearer(token) })

async function outcome(answer: Promise<Response>) {
  const response = await answer
  return response.ok ? response.status : `${response.status} ${(await problem(response)).code}`
}

async function revocationCheck(harness: GatewayHarness) {
  const answer = await harness.call('/ready')
  const body = (await answer.json()) as { checks: Record<string, { status: string; detail?: string }> }
  const { status: state, detail } = body.checks.revocations ?? {}
  return { status: answer.status, state, detail }
}

describe('a gateway that has not read the feed yet', () => {
  test('503 revocations_unavailable with Retry-After for users, /ready 503; public rows are served', async () => {
    const feed = createFeed()
    const sid = crypto.randomUUID()
    feed.end(sid)
    feed.down = true
    const harness = await start({ revocations: feed.answer })
    const token = await harness.issuer.sign({ sid })
    const answer = await call(harness, token)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('2')
    expect((await problem(answer)).code).toBe('revocations_unavailable')
    expect((await harness.call('/open')).status).toBe(200)
    expect(await revocationCheck(harness)).toMatchObject({ status: 503, state: 'fail', detail: 'feed' })
  })

  test('401 session_ended as soon as it has, by itself', async () => {
    const feed = createFeed()
    const sid = crypto.randomUUID()
    feed.end(sid)
    feed.down = true
    const harness = await start({ revocations: feed.answer, revocationTickMs: 10 })
    const token = await harness.issuer.sign({ sid })
    feed.down = false
    await expect.poll(() => outcome(call(harness, token))).toBe('401 session_ended')
    expect(await outcome(call(harness, await harness.issuer.sign()))).toBe(200)
    const messages = harness.lines.map(({ msg }) => msg)
    expect(messages.filter((msg) => msg === 'revocation feed not read')).toHaveLength(1)
    expect(messages).toContain('revocation feed read again')
  })

  test('a malformed feed is not read as an empty one', async () => {
    const harness = await start({ revocations: () => ({ keys: [] }) })
    expect(await outcome(call(harness, await harness.issuer.sign()))).toBe('503 revocations_unavailable')
  })
})

describe('a revoked token', () => {
  test('401 session_ended: also one that was verified before and is remembered, with the challenge', async () => {
    const feed = createFeed()
    const harness = await start({ revocations: feed.answer })
    const sid = crypto.randomUUID()
    const token = await harness.issuer.sign({ sid })
    expect(await outcome(call(harness, token))).toBe(200)
    feed.end(sid)
    await harness.syncRevocations()
    const answer = await call(harness, token)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    expect((await problem(answer)).code).toBe('session_ended')
    expect(harness.forwarded).toHaveLength(1)
  })

  test('401 claims_stale: every user on the plan, until they have a token of the new epoch', async () => {
    const feed = createFeed()
    const harness = await start({ revocations: feed.answer })
    const user = { sub: crypto.randomUUID(), sid: crypto.randomUUID(), plan: 'pro' }
    const before = await harness.issuer.sign(user)
    const after = await harness.issuer.sign({ ...user, epoch: { user: 1, role: 1, plan: 2 } })
    expect(await outcome(call(harness, before))).toBe(200)
    feed.raise('plan', 'pro', 2)
    await harness.syncRevocations()
    expect(await outcome(call(harness, before))).toBe('401 claims_stale')
    expect(await outcome(call(harness, await harness.issuer.sign({ plan: 'pro' })))).toBe('401 claims_stale')
    expect(await outcome(call(harness, await harness.issuer.sign({ plan: 'free' })))).toBe(200)
    expect(await outcome(call(harness, after))).toBe(200)
  })

  test('counts neither as a failed attempt of its address nor against the quota of its user', async () => {
    const feed = createFeed()
    const harness = await start({ revocations: feed.answer })
    const user = { sub: crypto.randomUUID(), sid: crypto.randomUUID(), quota: 2 }
    feed.end(user.sid)
    await harness.syncRevocations()
    const ended = await harness.issuer.sign(user)
    for (let i = 0; i < 20; i++) expect(await outcome(call(harness, ended))).toBe('401 session_ended')
    const live = await harness.issuer.sign({ ...user, sid: crypto.randomUUID() })
    expect(await outcome(call(harness, live))).toBe(200)
    expect((await harness.call('/open')).status).toBe(200)
  })

  // SECURITY 43: the cache of verified tokens must neither mix users up nor outlive a revocation.
  test('1,000 users interleaved through the cache each get their own response, and only revoked users are rejected', async () => {
    const feed = createFeed()
    const harness = await start({
      revocations: feed.answer,
      upstream: ({ headers }) => Response.json(JSON.parse(atob(assertionOf(headers))).user.sub),
    })
    const users = await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const user = { sub: crypto.randomUUID(), sid: crypto.randomUUID() }
        return { ...user, index, token: await harness.issuer.sign(user) }
      }),
    )
    const seen = ({ token }: { token: string }) =>
      call(harness, token).then(async (answer) =>
        answer.ok ? await answer.json() : (await problem(answer)).code,
      )
    const shuffled = users.toSorted((a, b) => a.sid.localeCompare(b.sid))
    for (const order of [users, shuffled, users.toReversed()])
      expect(await Promise.all(order.map(seen))).toEqual(order.map(({ sub }) => sub))

    const isEnded = ({ index }: { index: number }) => index % 3 === 0
    const isStale = ({ index }: { index: number }) => index % 3 === 1
    for (const user of users.filter(isEnded)) feed.end(user.sid)
    for (const user of users.filter(isStale)) feed.raise('user', user.sub, 2)
    await harness.syncRevocations()
    for (const order of [shuffled, users])
      expect(await Promise.all(order.map(seen))).toEqual(
        order.map((user) => (isEnded(user) ? 'session_ended' : isStale(user) ? 'claims_stale' : user.sub)),
      )
  }, 60_000)
})

describe('following the feed', () => {
  test('reads the whole feed once, then from its cursor', async () => {
    const feed = createFeed()
    const harness = await start({ revocations: feed.answer })
    feed.end(crypto.randomUUID())
    await harness.syncRevocations()
    await harness.syncRevocations()
    const path = '/internal/gateway/revocations'
    expect(feed.targets).toEqual([path, `${path}?after=1`, `${path}?after=2`])
  })

  test('200: it uses its last state while the origin is down; /ready warns after a minute', async () => {
    const clock = createClock()
    const feed = createFeed()
    const harness = await start({ revocations: feed.answer, now: clock.now })
    const sid = crypto.randomUUID()
    const [ended, live] = [await harness.issuer.sign({ sid }), await harness.issuer.sign()]
    feed.end(sid, clock.now())
    await harness.syncRevocations()
    feed.down = true
    clock.advance(59)
    await harness.syncRevocations()
    expect(await revocationCheck(harness)).toMatchObject({ status: 200, state: 'pass', detail: 'feed' })
    clock.advance(2)
    await harness.syncRevocations()
    expect(await revocationCheck(harness)).toMatchObject({ status: 200, state: 'warn' })
    expect(await outcome(call(harness, live))).toBe(200)
    expect(await outcome(call(harness, ended))).toBe('401 session_ended')
    feed.down = false
    await harness.syncRevocations()
    clock.advance(1)
    expect(await revocationCheck(harness)).toMatchObject({ status: 200, state: 'pass' })
  })

  // The bound of what an isolated region accepts: docs/regions.md.
  test('401 invalid_token: a token that was revoked while the origin was gone is good until it expires, and no longer', async () => {
    const clock = createClock()
    const feed = createFeed()
    const harness = await start({ revocations: feed.answer, now: clock.now })
    const sid = crypto.randomUUID()
    const iat = clock.now() / 1000
    const token = await harness.issuer.sign({ sid, iat, exp: iat + 900 })
    feed.down = true
    feed.end(sid, clock.now())
    clock.advance(900 + clockLeewaySeconds - 1)
    await harness.syncRevocations()
    expect(await outcome(call(harness, token))).toBe(200)
    clock.advance(2)
    expect(await outcome(call(harness, token))).toBe('401 invalid_token')
  })

  test('the reported lag is that of the newest entry, and not of those read at start', async () => {
    const clock = createClock()
    const feed = createFeed()
    feed.end(crypto.randomUUID(), clock.now() - 500_000)
    const harness = await start({ revocations: feed.answer, now: clock.now })
    expect(harness.revocationState).toEqual({ source: 'feed', lagMs: undefined, contactAt: clock.now() })
    feed.end(crypto.randomUUID(), clock.now() - 700)
    await harness.syncRevocations()
    expect(harness.revocationState.lagMs).toBe(700)
    await harness.syncRevocations()
    expect(harness.revocationState.lagMs).toBe(700)
  })

  test('the feed is not read after close', async () => {
    const feed = createFeed()
    const harness = await createGatewayHarness({ revocations: feed.answer, revocationTickMs: 5 })
    await expect.poll(() => feed.targets.length).toBeGreaterThan(2)
    await harness.close()
    const { length } = feed.targets
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(feed.targets).toHaveLength(length)
  })
})

/** The payload of the assertion that the upstream would believe, in base64. */
function assertionOf(headers: Headers): string {
  const payload = headers.get(assertionHeader)?.split('.')[1] ?? ''
  return payload.replaceAll('-', '+').replaceAll('_', '/')
}
