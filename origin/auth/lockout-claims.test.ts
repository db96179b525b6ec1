import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { forceRace } from '../../test/support/full-stack/force-race.ts'
import { createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'
import { createLockout } from '../lockout/lockout.ts'
import type { AttemptGroupRef } from '../lockout/queries.ts'

const email = 'ada@example.com'
const password = 'correct horse battery'
const context = { ip: null, userAgent: null, requestId: 'test' }

let fullStack: FullStack
let other: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  other = await createFullStack({ environment: highLimits, remains: fullStack.remains })
  await fullStack.post('/auth/register', { email, password })
})
beforeEach(() => fullStack.sql`truncate login_counters, login_attempts, audit_logs, sessions cascade`)
afterAll(async () => {
  await other.close()
  await fullStack.close()
})

const counters = () => fullStack.sql`select tries, claims, locked_at from login_counters`

const rowsOf = (action: string) => fullStack.sql`select from audit_logs where action = ${action}`

const lockoutMails = async () =>
  (await Promise.all([fullStack, other].map((origin) => origin.mails(email))))
    .flat()
    .filter(({ subject }) => subject.includes('locked'))

/** Hashes only when a test says so. Each is right where its password is. */
function createGate() {
  const inProgress: { password: string; end: (error?: Error) => void }[] = []
  return {
    inProgress,
    matches: (tried: string) =>
      new Promise<boolean>((resolve, reject) =>
        inProgress.push({
          password: tried,
          end: (error) => (error ? reject(error) : resolve(tried === password)),
        }),
      ),
  }
}

type Gate = ReturnType<typeof createGate>

const lockoutAt = (origin: FullStack, { matches }: Gate, maxWaitMs = 10_000) =>
  createLockout({
    sql: origin.sql,
    passwords: { matches },
    maxAttempts: 5,
    windowSeconds: 900,
    lockoutSeconds: 900,
    queue: 64,
    maxWaitMs,
    notifyOwner: async () => {},
  })

/** Evaluates attempts and counts the failures, as a login does. */
const evaluateAt = (origin: FullStack, gate: Gate, maxWaitMs?: number) => {
  const lockout = lockoutAt(origin, gate, maxWaitMs)
  return async (tried: string) => {
    const { reservation, passwordMatches } = await lockout.evaluate({ email }, tried, [], context)
    if (!passwordMatches)
      await origin.sql.begin((transaction) => lockout.fail(transaction, reservation, context))
    return passwordMatches ? 'right' : reservation.state
  }
}

const until = (gate: Gate, count: number) => expect.poll(() => gate.inProgress.length).toBe(count)

describe('parallel logins with the right password', () => {
  // Six browser tabs, a test suite of a customer, a server that signs in for its users.
  // Fifty hashes, on a machine that may do other things as well.
  test('200: 50 at once at two origins, or 503 with Retry-After; no lockout starts and no mail is sent', {
    timeout: 60_000,
  }, async () => {
    const login = (origin: FullStack) => origin.post('/auth/login', { email, password })
    const answers = await forceRace(fullStack, {
      at: 'lock table login_counters in exclusive mode',
      requests: () => Array.from({ length: 50 }, (_, index) => login(index % 2 ? fullStack : other)),
      waiting: 20,
    })
    const late = answers.filter(({ status }) => status === 503)
    for (const { headers } of late) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    const right = answers.filter(({ status }) => status === 200)
    expect(right.length + late.length).toBe(50)
    expect(right.length).toBeGreaterThan(5)
    expect(await rowsOf('login.succeeded')).toHaveLength(right.length)
    expect(await rowsOf('login.failed')).toHaveLength(0)
    expect(await rowsOf('account.locked')).toHaveLength(0)
    expect(await counters()).toEqual([])
    expect(await lockoutMails()).toEqual([])
    expect((await login(fullStack)).status).toBe(200)
  })
})

describe('attempts in progress', () => {
  test('are not failures: the sixth waits, at another origin too, and is right when its turn comes', async () => {
    const [here, there] = [createGate(), createGate()]
    const first = Array.from({ length: 5 }, () => evaluateAt(fullStack, here)(password))
    await until(here, 5)
    const sixth = evaluateAt(other, there)(password)
    expect(await counters()).toMatchObject([{ tries: 0, locked_at: null }])
    expect(there.inProgress).toHaveLength(0)
    here.inProgress[0]?.end()
    await until(there, 1)
    for (const { end } of [...here.inProgress, ...there.inProgress]) end()
    expect(await Promise.all([...first, sixth])).toEqual(Array(6).fill('right'))
    expect(await counters()).toEqual([])
  })

  // A stream of newcomers would make the ones that wait time out.
  test('wait in order: a later one does not take the claim that the first waits for', async () => {
    const [here, there] = [createGate(), createGate()]
    const first = Array.from({ length: 5 }, () => evaluateAt(other, there)(password))
    await until(there, 5)
    // An attempt that claims nothing writes the row as it was.
    const version = async () => (await fullStack.sql`select xmin::text from login_counters`)[0]?.xmin
    const before = await version()
    const evaluate = evaluateAt(fullStack, here)
    const sixth = evaluate(password)
    await expect.poll(version, { interval: 2 }).not.toBe(before)
    there.inProgress[0]?.end()
    await Promise.race(first)
    const seventh = evaluate('wrong')
    await until(here, 1)
    expect(here.inProgress[0]?.password).toBe(password)
    for (const { end } of there.inProgress) end()
    await Promise.all(first)
    await until(here, 2)
    for (const { end } of here.inProgress) end()
    expect(await Promise.all([sixth, seventh])).toEqual(['right', 'granted'])
  })

  test('of unknown devices that wait do not delay a known device', async () => {
    const gate = createGate()
    const lockout = lockoutAt(fullStack, gate)
    const evaluate = (own: AttemptGroupRef[]) => lockout.evaluate({ email }, password, own, context)
    const ofStrangers = Array.from({ length: 5 }, () => evaluate([]))
    await until(gate, 5)
    ofStrangers.push(evaluate([]))
    const [account] = await fullStack.sql`select id from user_accounts where email = ${email}`
    const known = evaluate([{ id: crypto.randomUUID(), userId: account?.id }])
    await until(gate, 6)
    gate.inProgress[5]?.end()
    expect((await known).reservation).toMatchObject({ state: 'granted', account: { email } })
    for (const { end } of gate.inProgress) end()
    await until(gate, 7)
    gate.inProgress[6]?.end()
    await Promise.all(ofStrangers)
  })

  // Ten origins must not be ten times as many guesses.
  test('and failures are five at most, at both origins together; the rest is rejected when five have failed', async () => {
    const [here, there] = [createGate(), createGate()]
    const tries = Array.from({ length: 10 }, (_, index) =>
      index % 2 ? evaluateAt(fullStack, here)('wrong') : evaluateAt(other, there)('wrong'),
    )
    const evaluated = () => [...here.inProgress, ...there.inProgress]
    await expect.poll(() => evaluated().length).toBe(5)
    for (const { end } of evaluated()) end()
    // A locked attempt hashes as well, against a hash of no account.
    await expect.poll(() => evaluated().length).toBe(10)
    for (const { end } of evaluated()) end()
    const outcomes = await Promise.all(tries)
    expect(outcomes.sort()).toEqual([...Array(5).fill('granted'), ...Array(5).fill('locked')])
    expect(await rowsOf('account.locked')).toHaveLength(1)
    expect(await counters()).toMatchObject([{ tries: 5, claims: {} }])
  })

  test('a right one clears the failures and leaves the reservations of the others', async () => {
    const gate = createGate()
    const evaluate = evaluateAt(fullStack, gate)
    const wrong = evaluate('wrong')
    await until(gate, 1)
    gate.inProgress[0]?.end()
    await wrong
    const [right, slow] = [evaluate(password), evaluate('wrong')]
    await until(gate, 3)
    gate.inProgress.find((each) => each.password === password)?.end()
    await right
    const [counter] = await counters()
    expect(counter).toMatchObject({ tries: 0 })
    expect(Object.keys(counter?.claims)).toHaveLength(1)
    for (const { end } of gate.inProgress) end()
    expect(await slow).toBe('granted')
    expect(await counters()).toMatchObject([{ tries: 1, claims: {} }])
  })

  test('an attempt that failed by an internal error returns its claim', async () => {
    const gate = createGate()
    const shed = evaluateAt(fullStack, gate)(password)
    await until(gate, 1)
    gate.inProgress[0]?.end(new Error('the worker died'))
    await expect(shed).rejects.toThrow('the worker died')
    expect(await counters()).toEqual([])
  })

  test('503 overloaded: the wait ends, and the attempt does not count', async () => {
    const gate = createGate()
    const first = Array.from({ length: 5 }, () => evaluateAt(fullStack, gate)(password))
    await until(gate, 5)
    await expect(evaluateAt(fullStack, gate, 50)(password)).rejects.toMatchObject({
      code: 'overloaded',
      status: 503,
    })
    for (const { end } of gate.inProgress) end()
    expect(await Promise.all(first)).toEqual(Array(5).fill('right'))
    expect(await counters()).toEqual([])
  })

  // An origin that was killed ends nothing any more: its claims must neither lock nor hold the
  // account for ever.
  test('of an origin that crashed hold the account for a minute at most, and are no failures', async () => {
    const died = createGate()
    for (let tries = 0; tries < 5; tries++) void evaluateAt(fullStack, died)(password)
    await until(died, 5)
    const gate = createGate()
    await expect(evaluateAt(other, gate, 50)(password)).rejects.toMatchObject({ code: 'overloaded' })
    const [row] = await fullStack.sql`
      select max(value::float8) - extract(epoch from now()) as seconds
      from login_counters, jsonb_each(claims)`
    expect(row?.seconds).toBeLessThanOrEqual(60)
    // As if the minute had passed.
    await fullStack.sql`
      update login_counters set claims = (select jsonb_object_agg(key, 0) from jsonb_object_keys(claims) key)`
    const next = evaluateAt(other, gate)(password)
    await until(gate, 1)
    gate.inProgress[0]?.end()
    expect(await next).toBe('right')
    expect(await counters()).toEqual([])
  })
})
