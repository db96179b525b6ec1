import { afterEach, describe, expect, test } from 'vitest'
import type { Revocation } from '../../shared/auth/revocation.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createClock } from '../../test/support/clock.ts'
import { bearer, problem } from '../../test/support/full-stack/full-stack.ts'
import { createStand, type Stand, type StandOptions } from '../../test/support/gateway/gateway-harness.ts'

const stands: Stand[] = []
afterEach(async () => {
  for (const stand of stands.splice(0)) await stand.close()
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

async function start(options: StandOptions = {}) {
  const stand = await createStand({ environment: { LIMIT_ADDRESS_REQUESTS: '5' }, ...options })
  stands.push(stand)
  return stand
}

const call = (stand: Stand, token: string) => stand.call('/closed', { headers: bearer(token) })

async function outcome(answer: Promise<Response>) {
  const response = await answer
  return response.ok ? response.status : `${response.status} ${(await problem(response)).code}`
}

async function revocationCheck(stand: Stand) {
  const answer = await stand.call('/ready')
  const body = (await answer.json()) as { checks: Record<string, { status: string; detail?: string }> }
  const { status: state, detail } = body.checks.revocations ?? {}
  return { status: answer.status, state, detail }
}

describe('a gateway that has not read the feed yet', () => {
  test('503 revocations_unavailable with Retry-After for users, /ready 503; public rows go on', async () => {
    const feed = createFeed()
    const sid = crypto.randomUUID()
    feed.end(sid)
    feed.down = true
    const stand = await start({ revocations: feed.answer })
    const token = await stand.issuer.sign({ sid })
    const answer = await call(stand, token)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('2')
    expect((await problem(answer)).code).toBe('revocations_unavailable')
    expect((await stand.call('/open')).status).toBe(200)
    expect(await revocationCheck(stand)).toMatchObject({ status: 503, state: 'fail', detail: 'feed' })
  })

  test('401 session_ended as soon as it has, by itself', async () => {
    const feed = createFeed()
    const sid = crypto.randomUUID()
    feed.end(sid)
    feed.down = true
    const stand = await start({ revocations: feed.answer, revocationTickMs: 10 })
    const token = await stand.issuer.sign({ sid })
    feed.down = false
    await expect.poll(() => outcome(call(stand, token))).toBe('401 session_ended')
    expect(await outcome(call(stand, await stand.issuer.sign()))).toBe(200)
    const messages = stand.lines.map(({ msg }) => msg)
    expect(messages.filter((msg) => msg === 'revocation feed not read')).toHaveLength(1)
    expect(messages).toContain('revocation feed read again')
  })

  test('what is no feed is not taken for an empty one', async () => {
    const stand = await start({ revocations: () => ({ keys: [] }) })
    expect(await outcome(call(stand, await stand.issuer.sign()))).toBe('503 revocations_unavailable')
  })
})

describe('a revoked token', () => {
  test('401 session_ended: also one that was verified before and is remembered, with the challenge', async () => {
    const feed = createFeed()
    const stand = await start({ revocations: feed.answer })
    const sid = crypto.randomUUID()
    const token = await stand.issuer.sign({ sid })
    expect(await outcome(call(stand, token))).toBe(200)
    feed.end(sid)
    await stand.heard()
    const answer = await call(stand, token)
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    expect((await problem(answer)).code).toBe('session_ended')
    expect(stand.forwarded).toHaveLength(1)
  })

  test('401 claims_stale: whoever is on the plan, until they have a token of the new epoch', async () => {
    const feed = createFeed()
    const stand = await start({ revocations: feed.answer })
    const user = { sub: crypto.randomUUID(), sid: crypto.randomUUID(), plan: 'pro' }
    const before = await stand.issuer.sign(user)
    const after = await stand.issuer.sign({ ...user, epoch: { user: 1, role: 1, plan: 2 } })
    expect(await outcome(call(stand, before))).toBe(200)
    feed.raise('plan', 'pro', 2)
    await stand.heard()
    expect(await outcome(call(stand, before))).toBe('401 claims_stale')
    expect(await outcome(call(stand, await stand.issuer.sign({ plan: 'pro' })))).toBe('401 claims_stale')
    expect(await outcome(call(stand, await stand.issuer.sign({ plan: 'free' })))).toBe(200)
    expect(await outcome(call(stand, after))).toBe(200)
  })

  test('is no failed try of its address, and costs its user nothing', async () => {
    const feed = createFeed()
    const stand = await start({ revocations: feed.answer })
    const user = { sub: crypto.randomUUID(), sid: crypto.randomUUID(), quota: 2 }
    feed.end(user.sid)
    await stand.heard()
    const ended = await stand.issuer.sign(user)
    for (let i = 0; i < 20; i++) expect(await outcome(call(stand, ended))).toBe('401 session_ended')
    const live = await stand.issuer.sign({ ...user, sid: crypto.randomUUID() })
    expect(await outcome(call(stand, live))).toBe(200)
    expect((await stand.call('/open')).status).toBe(200)
  })

  // SECURITY 43: the cache of verified tokens must neither mix users up nor outlive a revocation.
  test('of 1,000 users interleaved through the cache each hears their own answer, and each revoked one alone is refused', async () => {
    const feed = createFeed()
    const stand = await start({
      revocations: feed.answer,
      upstream: ({ headers }) => Response.json(JSON.parse(atob(assertionOf(headers))).user.sub),
    })
    const users = await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const user = { sub: crypto.randomUUID(), sid: crypto.randomUUID() }
        return { ...user, index, token: await stand.issuer.sign(user) }
      }),
    )
    const seen = ({ token }: { token: string }) =>
      call(stand, token).then(async (answer) =>
        answer.ok ? await answer.json() : (await problem(answer)).code,
      )
    const shuffled = users.toSorted((a, b) => a.sid.localeCompare(b.sid))
    for (const order of [users, shuffled, users.toReversed()])
      expect(await Promise.all(order.map(seen))).toEqual(order.map(({ sub }) => sub))

    const isEnded = ({ index }: { index: number }) => index % 3 === 0
    const isStale = ({ index }: { index: number }) => index % 3 === 1
    for (const user of users.filter(isEnded)) feed.end(user.sid)
    for (const user of users.filter(isStale)) feed.raise('user', user.sub, 2)
    await stand.heard()
    for (const order of [shuffled, users])
      expect(await Promise.all(order.map(seen))).toEqual(
        order.map((user) => (isEnded(user) ? 'session_ended' : isStale(user) ? 'claims_stale' : user.sub)),
      )
  }, 60_000)
})

describe('following the feed', () => {
  test('asks for all once, then for what came since', async () => {
    const feed = createFeed()
    const stand = await start({ revocations: feed.answer })
    feed.end(crypto.randomUUID())
    await stand.heard()
    await stand.heard()
    const path = '/internal/gateway/revocations'
    expect(feed.targets).toEqual([path, `${path}?after=1`, `${path}?after=2`])
  })

  test('200: it goes on with what it knows while the origin is gone; /ready warns after a minute', async () => {
    const clock = createClock()
    const feed = createFeed()
    const stand = await start({ revocations: feed.answer, now: clock.now })
    const sid = crypto.randomUUID()
    const [ended, live] = [await stand.issuer.sign({ sid }), await stand.issuer.sign()]
    feed.end(sid, clock.now())
    await stand.heard()
    feed.down = true
    clock.advance(59)
    await stand.heard()
    expect(await revocationCheck(stand)).toMatchObject({ status: 200, state: 'pass', detail: 'feed' })
    clock.advance(2)
    await stand.heard()
    expect(await revocationCheck(stand)).toMatchObject({ status: 200, state: 'warn' })
    expect(await outcome(call(stand, live))).toBe(200)
    expect(await outcome(call(stand, ended))).toBe('401 session_ended')
    feed.down = false
    await stand.heard()
    clock.advance(1)
    expect(await revocationCheck(stand)).toMatchObject({ status: 200, state: 'pass' })
  })

  test('what it knows of its lag is that of the newest entry, and none of what it heard when it started', async () => {
    const clock = createClock()
    const feed = createFeed()
    feed.end(crypto.randomUUID(), clock.now() - 500_000)
    const stand = await start({ revocations: feed.answer, now: clock.now })
    expect(stand.revocationState).toEqual({ source: 'feed', lagMs: undefined, contactAt: clock.now() })
    feed.end(crypto.randomUUID(), clock.now() - 700)
    await stand.heard()
    expect(stand.revocationState.lagMs).toBe(700)
    await stand.heard()
    expect(stand.revocationState.lagMs).toBe(700)
  })

  test('nothing is asked any more after close', async () => {
    const feed = createFeed()
    const stand = await createStand({ revocations: feed.answer, revocationTickMs: 5 })
    await expect.poll(() => feed.targets.length).toBeGreaterThan(2)
    await stand.close()
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
